-- The pushes within the window.
SELECT p.*
FROM stored_pushes p CROSS JOIN view_options o
WHERE (o.since_ts IS NULL OR p.push_ts >= o.since_ts) AND (o.until_ts IS NULL OR p.push_ts <= o.until_ts)
