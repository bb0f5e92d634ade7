"""A synthetic Taskcluster: queue and index services, and the storage of its artifacts."""
