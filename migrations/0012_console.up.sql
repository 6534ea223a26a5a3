-- What the console's charts are drawn from: the totals of the running hour, as they were at the end of each minute.
CREATE TABLE channel_minutes (
    channel         text NOT NULL,
    minute          timestamptz NOT NULL,              -- a minute without a row was not measured: no worker ran
    sent            bigint NOT NULL,                   -- since the hour began, like the next two
    failed          bigint NOT NULL,
    latency_ms_sum  double precision NOT NULL,
    PRIMARY KEY (channel, minute)
);
CREATE INDEX channel_minutes_age ON channel_minutes (minute);
CREATE INDEX channel_totals_hour ON channel_totals (hour);

-- Dead letters over time.
CREATE INDEX dead_letters_created ON dead_letters (created_at) WHERE deleted_at IS NULL;
