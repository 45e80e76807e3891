INSERT INTO retention (tenant_id, class, days)
SELECT $1, c.class, c.days FROM unnest($2::smallint[], $3::int[]) AS c(class, days) ORDER BY c.class
ON CONFLICT (tenant_id, class) DO UPDATE SET days = excluded.days
