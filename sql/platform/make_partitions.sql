SELECT make_partitions(make_interval(secs => $1)) AS made
