-- What retention finds its rows by, and vacuum that keeps up with what it deletes.

CREATE INDEX replayed_notification ON replayed (notification_id);
DROP INDEX dead_letters_created;  -- knew those only that are not deleted
CREATE INDEX dead_letters_created ON dead_letters (created_at);
CREATE INDEX inbox_messages_created ON inbox_messages (created_at);

-- Of a table that grows for ever a fifth is much: vacuum after a fiftieth, as for notifications.
ALTER TABLE attempts SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1);
ALTER TABLE trace_steps SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1);
ALTER TABLE inbox_messages SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1);
ALTER TABLE idempotency_keys SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1);
