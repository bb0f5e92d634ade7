-- The measurements with `counts`: whether their job was submitted soon enough after the push (view_options.within_s).
-- A value whose job has expired has no time of submission and counts if view_options.keep_expired.
SELECT
    p.signature_id, p.job_id, p.push_id,
    CASE
        WHEN p.submit_ts IS NULL THEN o.keep_expired
        WHEN o.within_s IS NULL THEN TRUE
        ELSE p.submit_ts - p.push_ts BETWEEN 0 AND o.within_s
    END AS counts
FROM pairs p CROSS JOIN view_options o
