-- name: take
SELECT begins_in, ends_in, tokens FROM take_tokens($1, $2, $3, $4, $5);
