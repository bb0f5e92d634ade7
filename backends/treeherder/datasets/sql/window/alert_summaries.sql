-- The alert summaries whose push (or else whose creation) is within the window.
SELECT s.*
FROM stored_alert_summaries s CROSS JOIN view_options o
WHERE (o.since_ts IS NULL OR COALESCE(s.push_ts, s.created_ts) >= o.since_ts)
    AND (o.until_ts IS NULL OR COALESCE(s.push_ts, s.created_ts) <= o.until_ts)
