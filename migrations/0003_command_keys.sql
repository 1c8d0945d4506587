-- The log is the idempotency record: a command's first event carries its key, the hash of the request and how many
-- events it wrote. A key is a stream's own; what stock writers append carries none.
alter table events
    add column command_key    text,
    add column command_hash   bytea check (octet_length(command_hash) = 32),
    add column command_events integer check (command_events > 0),
    add constraint events_command_is_whole check (
        num_nulls(command_key, command_hash, command_events) in (0, 3)
    );

create unique index events_command_key on events (aggregate_type, aggregate_id, command_key)
    where command_key is not null;
