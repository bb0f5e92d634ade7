"""The synthetic storage of Prow: two public buckets in the storage's JSON protocol, and gcsweb pages of them."""
