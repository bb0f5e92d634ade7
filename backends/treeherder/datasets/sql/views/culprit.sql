-- How long each step from a push to an alert to its bug took, in seconds, newest first; negative if a step came before
-- the one it is counted from.
WITH ranked_pushes AS (
    SELECT revision, push_ts, row_number() OVER (PARTITION BY revision ORDER BY push_id) AS n
    FROM pushes WHERE revision IS NOT NULL
),
first_pushes AS (
    SELECT revision, push_ts FROM ranked_pushes WHERE n = 1
)
SELECT
    s.summary, s.status, s.framework, s.repository,
    CASE WHEN c.regressions > 0 THEN 'yes' ELSE 'no' END AS regression,
    s.created - s.pushed AS culprit,
    s.created - CASE WHEN s.original_revision <> s.revision THEN p.push_ts ELSE s.pushed END AS detect,
    s.first_triaged_ts - s.created AS triage,
    s.bug_updated_ts - s.created AS bug,
    s.bug_updated_ts - s.pushed AS landed_to_bug,
    CASE WHEN s.original_revision <> s.revision THEN 'yes' ELSE 'no' END AS moved,
    s.created, s.pushed
FROM named_summaries s
LEFT JOIN first_pushes p ON s.original_revision = p.revision
LEFT JOIN alert_counts c ON s.summary_id = c.listed_in
ORDER BY s.created DESC NULLS LAST, s.summary_id DESC
