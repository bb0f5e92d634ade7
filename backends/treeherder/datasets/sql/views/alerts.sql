-- Alert summaries, newest first; counts of a summary's own alerts, `related` of others'.
SELECT
    s.summary, s.status, s.framework, s.repository, s.revision, s.pushed, s.created, s.bug,
    COALESCE(c.regressions, 0) AS regressions, COALESCE(c.improvements, 0) AS improvements,
    COALESCE(c.related, 0) AS related, c.largest, c.suites, c.platforms, s.assignee, s.monitored, s.original_revision,
    s.notes
FROM named_summaries s LEFT JOIN alert_counts c ON s.summary_id = c.listed_in
ORDER BY s.created DESC NULLS LAST, s.summary_id DESC
