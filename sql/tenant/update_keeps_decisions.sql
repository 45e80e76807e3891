-- Whether this is news.
UPDATE tenant SET keeps_decisions = true WHERE id = $1 AND NOT keeps_decisions
