DROP INDEX notifications_recipient_id;
DROP INDEX notifications_recipient;
ALTER TABLE notifications SET (fillfactor = 70);
