DROP FUNCTION tell(uuid[], jsonb[]);
DROP FUNCTION status_event(notifications);
DROP TYPE told_event;
DROP TYPE status_event_data;
DROP FUNCTION recipient_of(text, text, text);
DROP FUNCTION keep_in_inbox(uuid[], uuid[], text[], uuid[], text[], text[], jsonb[]);
DROP TABLE inbox_messages;
DROP TABLE inboxes;
