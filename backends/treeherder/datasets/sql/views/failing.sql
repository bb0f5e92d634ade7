-- The signatures of the regressions among the own alerts of each summary of `bugs`, by summary.
WITH failed AS (
    SELECT listed_in, array_sort(array_agg(DISTINCT signature_id)) AS signature_ids, count(DISTINCT signature_id) AS n
    FROM alerts WHERE is_regression AND NOT related AND signature_id IS NOT NULL GROUP BY listed_in
)
SELECT s.summary, COALESCE(s.revision, '') AS revision, COALESCE(f.n, 0) AS count, f.signature_ids
FROM named_summaries s LEFT JOIN failed f ON s.summary_id = f.listed_in
WHERE s.status_number IN (6, 7, 8) AND s.bug IS NOT NULL
ORDER BY s.summary_id
