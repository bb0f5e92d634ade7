"""Lists made of other lists: SQL over them, and pivot tables."""
