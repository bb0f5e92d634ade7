-- Counts per push, newest first: signatures, their groups and jobs that count; values that were submitted too late, and
-- values without a job. Null where nothing is known: the values were not fetched, or that failed.
WITH counted AS (
    SELECT
        p.push_id,
        count(DISTINCT CASE WHEN p.counts THEN p.signature_id END) AS total,
        count(DISTINCT CASE WHEN p.counts THEN g.position END) AS n_groups,
        count(DISTINCT CASE WHEN p.counts THEN p.job_id END) AS jobs,
        count(*) FILTER (WHERE NOT p.counts) AS late,
        count(*) FILTER (WHERE p.job_id IS NULL) AS job_expired,
        count(p.job_id) AS with_job
    FROM judged_pairs p LEFT JOIN signature_groups g ON p.signature_id = g.signature_id
    GROUP BY p.push_id
),
described AS (
    SELECT
        p.push_id, p.revision, p.push_ts, p.author, p.commits, c.total, c.n_groups, c.jobs, c.late, c.job_expired,
        CASE
            WHEN c.with_job > 0 THEN 'scheduled'
            WHEN c.push_id IS NOT NULL THEN 'job expired'
            WHEN f.status = 'error' THEN 'failed'
            WHEN f.status IS NOT NULL THEN 'not scheduled'
            ELSE 'not asked'
        END AS state
    FROM pushes p
    LEFT JOIN counted c ON p.push_id = c.push_id
    LEFT JOIN fetch_status f ON p.push_id = f.push_id
)
SELECT
    CAST(push_id AS STRING) AS push, revision, push_ts AS pushed, state,
    CASE WHEN state NOT IN ('failed', 'not asked') THEN COALESCE(total, 0) END AS total,
    CASE WHEN state NOT IN ('failed', 'not asked') THEN COALESCE(n_groups, 0) END AS groups,
    CASE WHEN state NOT IN ('failed', 'not asked') THEN COALESCE(jobs, 0) END AS jobs,
    CASE WHEN state NOT IN ('failed', 'not asked') THEN COALESCE(late, 0) END AS late,
    CASE WHEN state NOT IN ('failed', 'not asked') THEN COALESCE(job_expired, 0) END AS job_expired,
    commits, author
FROM described
ORDER BY push_ts DESC NULLS LAST, push_id DESC
