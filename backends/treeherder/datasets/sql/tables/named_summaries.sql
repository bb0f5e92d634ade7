-- The alert summaries with names for numbers; a number without a name stands for itself.
SELECT
    s.summary_id, CAST(s.summary_id AS STRING) AS summary, s.status AS status_number,
    COALESCE(t.name, CAST(s.status AS STRING)) AS status, COALESCE(f.name, CAST(s.framework_id AS STRING)) AS framework,
    o.repository, s.revision, s.original_revision, s.push_ts AS pushed, s.created_ts AS created, s.first_triaged_ts,
    s.bug_updated_ts, CAST(s.bug_number AS STRING) AS bug, s.assignee, s.notes,
    CASE WHEN s.monitored THEN 'yes' ELSE 'no' END AS monitored
FROM alert_summaries s
CROSS JOIN view_options o
LEFT JOIN status_names t ON s.status = t.status
LEFT JOIN framework_names f ON s.framework_id = f.framework_id
