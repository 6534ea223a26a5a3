-- name: take
SELECT begins_in, ends_in, tokens FROM take_tokens(@bucket, @rate, @wanted, @ahead, @after_s);
