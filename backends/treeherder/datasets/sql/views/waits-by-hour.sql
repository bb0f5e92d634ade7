-- Wait times of jobs in seconds per hour of the day (UTC) of their submission.
SELECT
    CAST(hour AS STRING) AS key, hour, count(*) AS jobs, avg(wait) AS mean,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY wait) AS median,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY wait) AS p90,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY wait) AS p95,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY wait) AS p99,
    min(wait) AS min, max(wait) AS max
FROM measured_jobs WHERE wait IS NOT NULL GROUP BY hour
ORDER BY hour
