-- Empty weeks of one table that ended more than $2 days ago.
SELECT drop_partitions($1, make_interval(days => $2)) AS dropped
