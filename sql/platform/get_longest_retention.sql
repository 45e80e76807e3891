-- The longest that any tenant keeps a class.
SELECT max(days) AS days FROM retention WHERE class = $1
