UPDATE tenant SET decisions_complete = true WHERE id = $1
