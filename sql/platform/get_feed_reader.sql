-- Whose feed token has this hash, and which feed it opens.
SELECT c.tenant_id, c.subject_id AS token_id, t.feed_id
FROM credential c
JOIN feed_token t ON t.tenant_id = c.tenant_id AND t.id = c.subject_id
JOIN tenant n ON n.id = c.tenant_id AND n.removed_at IS NULL
WHERE c.hash = $1 AND c.kind = 5
