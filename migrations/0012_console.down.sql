DROP INDEX channel_totals_hour;
DROP TABLE channel_minutes;
