-- How long jobs that gave values waited, in seconds, the latest first.
SELECT
    CAST(j.job_id AS STRING) AS job, j.wait, j.duration, j.result, j.job_type_name AS name, j.platform,
    j.submit_timestamp AS submitted, j.hour, p.revision, j.machine_name AS machine, j.task_id AS task
FROM measured_jobs j LEFT JOIN pushes p ON j.push_id = p.push_id
WHERE j.submit_timestamp > 0
ORDER BY j.submit_timestamp DESC, j.job_id DESC
