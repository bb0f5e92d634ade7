-- The signatures that were measured, or that an alert is about, within the window.
SELECT s.*
FROM stored_signatures s
WHERE s.signature_id IN (
    SELECT signature_id FROM pairs
    UNION SELECT signature_id FROM alerts WHERE signature_id IS NOT NULL
)
