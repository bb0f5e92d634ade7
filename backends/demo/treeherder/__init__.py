"""A synthetic Treeherder: pushes, jobs, performance series and alerts in the formats of the real server's API."""
