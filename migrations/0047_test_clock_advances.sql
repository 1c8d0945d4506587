-- Every advance of a test clock under its idempotency key: what a retry is answered from.
create table test_clock_advances (
    tenant       text        not null,
    clock        text        not null,
    command_key  text        not null,
    request_hash bytea       not null,
    moved_from   timestamptz not null,
    moved_to     timestamptz not null,
    primary key (tenant, clock, command_key),
    foreign key (tenant, clock) references test_clocks,
    check (moved_to > moved_from)
);
