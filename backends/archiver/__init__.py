"""Source archives: a repository at a revision, fetched, verified, kept and mirrored."""
