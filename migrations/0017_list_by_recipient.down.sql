DROP INDEX notifications_recipient_id;
DROP INDEX notifications_recipient;
