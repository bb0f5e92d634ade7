"""Prow: jobs, builds and their files in any bucket, as lists."""
