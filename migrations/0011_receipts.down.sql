DROP TABLE early_receipts;
DROP INDEX attempts_message;
DROP FUNCTION is_silent;
ALTER TABLE notifications DROP COLUMN receipt;
