SELECT make_partitions(interval '28 days') AS made
