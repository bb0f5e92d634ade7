"""A synthetic Taskcluster: queue and index services, and the storage that holds its artifacts."""
