DROP INDEX dead_letters_created;
DROP INDEX channel_totals_hour;
DROP TABLE channel_minutes;
