-- When each account next needs the clock, if ever. An account that needs it no more has no row.
create schema timers_v1;

create table timers_v1.timers (
    tenant     text        not null,
    account_id text        not null,
    -- The test clock it lives by; the server's if none.
    test_clock text,
    due_at     timestamptz not null,
    -- The stream's last event: what the instant was computed from.
    version    bigint      not null,
    position   bigint      not null,
    primary key (tenant, account_id)
);
create index timers_by_due on timers_v1.timers (due_at) where test_clock is null;
create index timers_by_test_clock on timers_v1.timers (tenant, test_clock, due_at) where test_clock is not null;

create view timers as select * from timers_v1.timers;

insert into projection_builds (name, version, build, schema_name, state) values ('timers', 1, 1, 'timers_v1', 'live');
