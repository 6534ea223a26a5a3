ALTER TABLE idempotency_keys RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor);
ALTER TABLE inbox_messages RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor);
ALTER TABLE trace_steps RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor);
ALTER TABLE attempts RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor);
DROP INDEX inbox_messages_created;
DROP INDEX dead_letters_created;
CREATE INDEX dead_letters_created ON dead_letters (created_at) WHERE deleted_at IS NULL;
DROP INDEX replayed_notification;
