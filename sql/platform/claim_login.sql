-- A try, in a bucket that holds $2 and loses one every $3 seconds; no row when it is full.
INSERT INTO login_throttle AS t (key, level) VALUES ($1, 1)
ON CONFLICT (key) DO UPDATE
  SET level = greatest(0, t.level - extract(epoch FROM now() - t.at)::double precision / $3::double precision) + 1, at = now()
  WHERE greatest(0, t.level - extract(epoch FROM now() - t.at)::double precision / $3::double precision) + 1 <= $2::double precision
RETURNING coalesce(good_at > now() - interval '30 days', false) AS known
