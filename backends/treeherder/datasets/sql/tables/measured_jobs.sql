-- `timed_jobs` that gave values, with the push that they were for and the hour of the day (UTC) of their submission.
WITH pushes_of_jobs AS (
    SELECT job_id, min(push_id) AS push_id FROM pairs WHERE job_id IS NOT NULL GROUP BY job_id
)
SELECT j.*, p.push_id, CAST(floor(j.submit_timestamp / 3600) AS BIGINT) % 24 AS hour
FROM timed_jobs j JOIN pushes_of_jobs p ON j.job_id = p.job_id
