DROP TABLE early_receipts;
DROP INDEX attempts_message;
ALTER TABLE notifications DROP COLUMN receipt;
