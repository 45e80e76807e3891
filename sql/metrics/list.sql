-- A page of what components counted, newest first, with what is known of the component. Rows beyond $9 bytes of items
-- come without: the next page begins there.
SELECT u.id, u.machine_id, u.kind, u.name, c.type, c.os_name, c.os_version, c.version, u.active_decisions, u.processed_items,
       u.dropped_items, u.processed_bytes, u.collected_at, CASE WHEN u.before < $9 THEN u.items END AS items
FROM (SELECT m.*, sum(octet_length(m.items)) OVER (ORDER BY m.collected_at DESC, m.id DESC) - octet_length(m.items) AS before
      FROM usage_metric m
      WHERE m.tenant_id = $1 AND m.kind IN (1, 2)
        AND ($2::bigint[] IS NULL OR m.machine_id = ANY ($2))
        AND ($3::text IS NULL OR m.name = $3)
        AND ($4::timestamptz IS NULL OR m.collected_at >= $4)
        AND ($5::timestamptz IS NULL OR m.collected_at <= $5)
        AND ($6::timestamptz IS NULL OR (m.collected_at, m.id) < ($6, $7))
      ORDER BY m.collected_at DESC, m.id DESC
      LIMIT $8) u
LEFT JOIN usage_component c ON c.tenant_id = u.tenant_id AND c.machine_id = u.machine_id AND c.kind = u.kind AND c.name = u.name
ORDER BY u.collected_at DESC, u.id DESC
