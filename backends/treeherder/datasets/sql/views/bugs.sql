-- Regressions with a bug that is wontfix, fixed or backedout (6, 7, 8), newest first; tests and platforms of all
-- regressions among their own and their related alerts.
WITH tested AS (
    SELECT DISTINCT listed_in, COALESCE(test, '') AS test, COALESCE(machine_platform, '') AS platform
    FROM alerts WHERE is_regression AND (COALESCE(test, '') <> '' OR COALESCE(machine_platform, '') <> '')
),
counted AS (
    SELECT
        listed_in, count(*) AS n,
        COALESCE(array_join(array_sort(array_agg(DISTINCT test) FILTER (WHERE test <> '')), ', '), '') AS tests,
        COALESCE(array_join(array_sort(array_agg(DISTINCT platform) FILTER (WHERE platform <> '')), ', '), '')
            AS platforms
    FROM tested GROUP BY listed_in
)
SELECT s.bug, s.summary, s.status, s.revision, s.created, COALESCE(c.n, 0) AS count, c.tests, c.platforms, s.framework
FROM named_summaries s LEFT JOIN counted c ON s.summary_id = c.listed_in
WHERE s.status_number IN (6, 7, 8) AND s.bug IS NOT NULL
ORDER BY s.created DESC NULLS LAST, s.summary_id DESC
