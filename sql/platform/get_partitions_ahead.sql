-- For how many days every key has a partition, and what time it is there.
SELECT partitions_ahead() AS days, now() AS at
