-- signature_id, leader, position, size, jobs: signatures that come from exactly the same jobs are a group.
-- `leader`: its lowest signature. `position`: the largest group is 0, of equals the one with the lowest signature first.
-- (signature_id, job_id) is unique in the store, so that lists of jobs are sets.
WITH job_lists AS (
    SELECT signature_id, array_sort(array_agg(job_id)) AS job_ids, count(*) AS jobs
    FROM pairs WHERE job_id IS NOT NULL GROUP BY signature_id
),
led AS (
    SELECT signature_id, jobs, min(signature_id) OVER (PARTITION BY job_ids) AS leader FROM job_lists
),
sizes AS (
    SELECT leader, count(*) AS size FROM led GROUP BY leader
),
numbered AS (
    SELECT leader, size, row_number() OVER (ORDER BY size DESC, leader) - 1 AS position FROM sizes
)
SELECT led.signature_id, led.leader, numbered.position, numbered.size, led.jobs
FROM led JOIN numbered ON led.leader = numbered.leader
