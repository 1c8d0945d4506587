-- Tamper evidence: a digest of every event as stored, in blocks that are linked to one another. Not account data: one
-- chain over the whole log, exempt from the tenant rule.
create table event_digests (
    position bigint primary key,
    digest   bytea not null check (octet_length(digest) = 32)
);

create table seals (
    seal           bigint primary key check (seal > 0),
    first_position bigint not null,
    last_position  bigint not null check (last_position >= first_position),
    events         bigint not null check (events > 0),
    previous       bytea  not null check (octet_length(previous) = 32),
    digest         bytea  not null check (octet_length(digest) = 32),
    sealed_at      timestamptz not null default clock_timestamp()
);
