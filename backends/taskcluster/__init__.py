"""Taskcluster: task groups, tasks, runs and artifacts of any deployment, as lists."""
