-- As the owner. Rows that bear another cluster's transaction numbers cannot be put in order with those of this one.
TRUNCATE event
