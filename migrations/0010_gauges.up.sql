-- What the gauges count: dead letters that wait for somebody.
CREATE INDEX dead_letters_open ON dead_letters (channel) WHERE replayed_at IS NULL AND deleted_at IS NULL;
