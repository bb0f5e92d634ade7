"""Job data for Treeherder: read, linted, previewed, kept in an outbox and published."""
