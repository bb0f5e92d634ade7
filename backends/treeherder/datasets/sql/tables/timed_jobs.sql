-- The jobs with `wait` (submission to start) and `duration` (start to end) in seconds; null if a time is not known or
-- the span is negative. The server's 0 is a time that has not come.
SELECT
    job_id, result, platform, job_type_name, machine_name, task_id, submit_timestamp,
    CASE WHEN submit_timestamp > 0 AND start_timestamp >= submit_timestamp
        THEN CAST(start_timestamp - submit_timestamp AS DOUBLE) END AS wait,
    CASE WHEN start_timestamp > 0 AND end_timestamp >= start_timestamp
        THEN CAST(end_timestamp - start_timestamp AS DOUBLE) END AS duration
FROM jobs
