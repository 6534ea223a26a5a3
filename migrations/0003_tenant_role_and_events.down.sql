-- The role stays: other databases of the server may use it.
DROP FUNCTION events_messages(uuid, jsonb);
DROP FUNCTION status_event(uuid, text, text, text, text, text, uuid, text, integer, integer, text, text, boolean);
ALTER TABLE notifications DROP COLUMN test, DROP COLUMN locale;
DROP FUNCTION isolate(regclass);
DROP FUNCTION current_tenant();
REVOKE USAGE ON SCHEMA public FROM notistream_tenant;
