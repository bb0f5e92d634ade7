"""Job data for Treeherder: read, linted, previewed, converted, kept in an outbox and published."""
