-- Which events a tenant has, in the order of the log: the log itself has no index by tenant, and must not pay for one.
create schema event_index_v1;

create table event_index_v1.event_index (
    tenant         text        not null,
    stream_name    text        not null,
    aggregate_type text        not null,
    sequence       bigint      not null,
    position       bigint      not null,
    event_type     text        not null,
    event_version  text        not null,
    recorded_at    timestamptz not null,
    primary key (tenant, stream_name, aggregate_type, sequence)
);
create index event_index_by_position on event_index_v1.event_index (tenant, position);

create view event_index as select * from event_index_v1.event_index;

insert into projection_builds (name, version, build, schema_name, state)
values ('event_index', 1, 1, 'event_index_v1', 'live');
