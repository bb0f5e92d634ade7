-- The jobs of the measurements within the window.
SELECT j.* FROM stored_jobs j SEMI JOIN pairs p ON j.job_id = p.job_id
