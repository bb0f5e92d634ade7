-- The alerts in the lists of the alert summaries within the window.
SELECT a.* FROM stored_alerts a SEMI JOIN alert_summaries s ON a.listed_in = s.summary_id
