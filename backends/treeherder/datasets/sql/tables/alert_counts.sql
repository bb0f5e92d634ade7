-- Per alert summary: counts of its own regressions and improvements, and of alerts of others that it lists.
SELECT
    listed_in,
    count(*) FILTER (WHERE NOT related AND COALESCE(is_regression, FALSE)) AS regressions,
    count(*) FILTER (WHERE NOT related AND NOT COALESCE(is_regression, FALSE)) AS improvements,
    count(*) FILTER (WHERE related) AS related,
    max(CASE WHEN NOT related THEN amount_pct END) AS largest,
    COALESCE(array_join(array_sort(array_agg(DISTINCT suite) FILTER (WHERE NOT related AND suite IS NOT NULL)), ', '), '')
        AS suites,
    COALESCE(array_join(array_sort(
        array_agg(DISTINCT machine_platform) FILTER (WHERE NOT related AND machine_platform IS NOT NULL)
    ), ', '), '') AS platforms
FROM alerts GROUP BY listed_in
