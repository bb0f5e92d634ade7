-- Signature groups per revision, newest first, without groups all of whose frameworks are excluded; `unknown`: signatures
-- in no group. Null where nothing is known: the values were not fetched, or that failed.
WITH ranked AS (
    SELECT revision, push_ts, push_id, row_number() OVER (PARTITION BY revision ORDER BY push_ts, push_id) AS n
    FROM pushes WHERE revision IS NOT NULL AND push_ts IS NOT NULL
),
revisions AS (
    SELECT revision, push_ts, push_id FROM ranked WHERE n = 1
),
framework_lists AS (
    SELECT g.position, count(*) FILTER (WHERE e.framework_id IS NULL) AS included
    FROM signature_groups g
    LEFT JOIN signatures s ON g.signature_id = s.signature_id
    LEFT JOIN excluded_frameworks e ON s.framework_id = e.framework_id
    GROUP BY g.position
),
counted AS (
    SELECT DISTINCT h.revision, p.signature_id
    FROM judged_pairs p JOIN pushes h ON p.push_id = h.push_id
    WHERE p.counts AND h.revision IS NOT NULL
),
totals AS (
    SELECT
        c.revision, count(*) AS n_signatures,
        count(DISTINCT CASE WHEN l.included > 0 THEN g.position END) AS total,
        count(*) FILTER (WHERE g.position IS NULL) AS n_unknown
    FROM counted c
    LEFT JOIN signature_groups g ON c.signature_id = g.signature_id
    LEFT JOIN framework_lists l ON g.position = l.position
    GROUP BY c.revision
),
measured AS (
    SELECT DISTINCT push_id FROM pairs
),
not_fetched AS (
    SELECT DISTINCT h.revision
    FROM pushes h
    LEFT JOIN fetch_status f ON h.push_id = f.push_id AND f.status <> 'error'
    LEFT JOIN measured m ON h.push_id = m.push_id
    WHERE h.revision IS NOT NULL AND f.push_id IS NULL AND m.push_id IS NULL
)
SELECT
    r.revision, r.push_ts AS pushed,
    CASE WHEN n.revision IS NULL THEN COALESCE(t.total, 0) END AS total,
    CASE WHEN n.revision IS NULL THEN COALESCE(t.n_signatures, 0) END AS signatures,
    CASE WHEN n.revision IS NULL THEN COALESCE(t.n_unknown, 0) END AS unknown
FROM revisions r
LEFT JOIN totals t ON r.revision = t.revision
LEFT JOIN not_fetched n ON r.revision = n.revision
ORDER BY r.push_ts DESC, r.push_id DESC
