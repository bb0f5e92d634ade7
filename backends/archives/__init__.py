"""Source archives at a revision, from an hgweb or GitHub: verified, cached, copied to S3, served."""
