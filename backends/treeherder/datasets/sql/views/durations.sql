-- Durations of all known jobs of each signature group in seconds, by result and for all results.
WITH members AS (
    SELECT
        g.position, min(g.size) AS size, array_sort(array_agg(g.signature_id)) AS signature_ids,
        COALESCE(array_join(array_sort(array_agg(DISTINCT s.suite) FILTER (WHERE s.suite IS NOT NULL)), ', '), '')
            AS suites
    FROM signature_groups g LEFT JOIN signatures s ON g.signature_id = s.signature_id
    GROUP BY g.position
),
timed AS (
    SELECT g.position, j.result, j.duration
    FROM signature_groups g
    JOIN pairs p ON p.signature_id = g.leader
    JOIN timed_jobs j ON p.job_id = j.job_id
    WHERE g.signature_id = g.leader AND j.duration IS NOT NULL
),
labelled AS (
    SELECT position, 'all' AS result, duration FROM timed
    UNION ALL SELECT position, COALESCE(result, 'unknown') AS result, duration FROM timed
),
spread AS (
    SELECT position, result, count(*) AS jobs, avg(duration) AS mean,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY duration) AS median,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY duration) AS p90,
        percentile_cont(0.95) WITHIN GROUP (ORDER BY duration) AS p95,
        percentile_cont(0.99) WITHIN GROUP (ORDER BY duration) AS p99,
        min(duration) AS min, max(duration) AS max
    FROM labelled GROUP BY position, result
)
SELECT
    concat(CAST(s.position AS STRING), '/', s.result) AS key, s.position, m.size, s.result, s.jobs, s.mean, s.median,
    s.p90, s.p95, s.p99, s.min, s.max, m.suites, m.signature_ids
FROM spread s JOIN members m ON s.position = m.position
ORDER BY s.position, s.result
