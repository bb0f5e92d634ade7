-- Durations of all known jobs of each signature in seconds, by result and for all results.
WITH timed AS (
    SELECT p.signature_id, j.result, j.duration
    FROM pairs p JOIN timed_jobs j ON p.job_id = j.job_id
    WHERE j.duration IS NOT NULL
),
labelled AS (
    SELECT signature_id, 'all' AS result, duration FROM timed
    UNION ALL SELECT signature_id, COALESCE(result, 'unknown') AS result, duration FROM timed
),
spread AS (
    SELECT signature_id, result, count(*) AS jobs, avg(duration) AS mean,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY duration) AS median,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY duration) AS p90,
        percentile_cont(0.95) WITHIN GROUP (ORDER BY duration) AS p95,
        percentile_cont(0.99) WITHIN GROUP (ORDER BY duration) AS p99,
        min(duration) AS min, max(duration) AS max
    FROM labelled GROUP BY signature_id, result
)
SELECT
    concat(CAST(d.signature_id AS STRING), '/', d.result) AS key, CAST(d.signature_id AS STRING) AS signature,
    d.result, d.jobs, d.mean, d.median, d.p90, d.p95, d.p99, d.min, d.max, s.suite AS suites
FROM spread d LEFT JOIN signatures s ON d.signature_id = s.signature_id
ORDER BY d.signature_id, d.result
