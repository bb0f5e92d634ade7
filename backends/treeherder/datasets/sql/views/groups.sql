-- Signatures that come from exactly the same jobs: one row per group, the largest first.
WITH described AS (
    SELECT s.signature_id, s.suite, s.machine_platform, COALESCE(f.name, CAST(s.framework_id AS STRING)) AS framework
    FROM signatures s LEFT JOIN framework_names f ON s.framework_id = f.framework_id
)
SELECT
    g.position, min(g.size) AS size, min(g.jobs) AS jobs,
    COALESCE(array_join(array_sort(array_agg(DISTINCT d.suite) FILTER (WHERE d.suite IS NOT NULL)), ', '), '')
        AS suites,
    COALESCE(array_join(array_sort(
        array_agg(DISTINCT d.machine_platform) FILTER (WHERE d.machine_platform IS NOT NULL)
    ), ', '), '') AS platforms,
    COALESCE(array_join(array_sort(array_agg(DISTINCT d.framework) FILTER (WHERE d.framework IS NOT NULL)), ', '), '')
        AS frameworks,
    array_sort(array_agg(g.signature_id)) AS signature_ids
FROM signature_groups g LEFT JOIN described d ON g.signature_id = d.signature_id
GROUP BY g.position
ORDER BY g.position
