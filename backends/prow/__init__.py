"""Prow: jobs, builds and their files in object storage, as resources."""
