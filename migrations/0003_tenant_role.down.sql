-- The role stays: other databases of the server may use it.
ALTER TABLE notifications DROP COLUMN test, DROP COLUMN locale;
DROP FUNCTION isolate(regclass);
DROP FUNCTION current_tenant();
REVOKE USAGE ON SCHEMA public FROM notistream_tenant;
