-- Signatures and what they measure, by id.
SELECT
    CAST(s.signature_id AS STRING) AS signature, COALESCE(f.name, CAST(s.framework_id AS STRING)) AS framework,
    s.suite, s.test, s.machine_platform AS platform, s.application, array_join(s.extra_options, ' ') AS options,
    s.measurement_unit AS unit,
    CASE WHEN s.lower_is_better THEN 'yes' WHEN NOT s.lower_is_better THEN 'no' END AS lower_is_better,
    CASE WHEN s.has_subtests THEN 'yes' WHEN NOT s.has_subtests THEN 'no' END AS has_subtests,
    CASE WHEN s.should_alert THEN 'yes' WHEN NOT s.should_alert THEN 'no' END AS should_alert,
    s.signature_hash AS hash, s.parent_signature AS parent, array_join(s.tags, ' ') AS tags
FROM signatures s LEFT JOIN framework_names f ON s.framework_id = f.framework_id
ORDER BY s.signature_id
