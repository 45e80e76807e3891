-- What a list holds as it is fetched; since when it has held that. HTTP's times have whole seconds: a change counts from
-- the next one on, and two changes never from the same.
INSERT INTO link_list AS l (tenant_id, machine_id, kind, list, digest, changed_at)
VALUES ($1, $2, $3, $4, $5, date_trunc('second', clock_timestamp()) + interval '1 s')
ON CONFLICT (tenant_id, machine_id, kind, list) DO UPDATE
SET changed_at = CASE WHEN l.digest = excluded.digest THEN l.changed_at
      ELSE greatest(excluded.changed_at, l.changed_at + interval '1 s') END,
    digest = excluded.digest, told_at = CASE WHEN l.kind = 1 THEN now() ELSE l.told_at END
RETURNING changed_at
