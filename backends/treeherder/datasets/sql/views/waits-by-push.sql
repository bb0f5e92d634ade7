-- Wait times of jobs in seconds per push that has a job with a known wait, the latest first.
WITH spread AS (
    SELECT push_id, count(*) AS jobs, avg(wait) AS mean,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY wait) AS median,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY wait) AS p90,
        percentile_cont(0.95) WITHIN GROUP (ORDER BY wait) AS p95,
        percentile_cont(0.99) WITHIN GROUP (ORDER BY wait) AS p99,
        min(wait) AS min, max(wait) AS max
    FROM measured_jobs WHERE wait IS NOT NULL GROUP BY push_id
)
SELECT
    CAST(s.push_id AS STRING) AS push, p.revision, p.push_ts AS pushed, s.jobs, s.mean, s.median, s.p90, s.p95, s.p99,
    s.min, s.max
FROM spread s LEFT JOIN pushes p ON s.push_id = p.push_id
ORDER BY p.push_ts DESC NULLS LAST, s.push_id DESC
