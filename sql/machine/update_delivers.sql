-- Switched off, what the machine was given is taken back at its next pulls: for longer than it may be away over a weekend.
UPDATE machine
SET takes_back_until = CASE WHEN $3 THEN NULL WHEN delivers THEN now() + interval '7 days' ELSE takes_back_until END, delivers = $3
WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL
