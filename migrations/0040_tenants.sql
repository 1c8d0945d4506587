-- Who runs Tallybook for its customers. Mode and time zone are fixed at creation: accounting dates rest on the zone.
-- Not account data: exempt from the rule that keys contain tenant and account.
create table tenants (
    tenant     text primary key check (tenant ~ '^[A-Za-z0-9_.:-]{1,64}$'),
    name       text not null,
    mode       text not null check (mode in ('test', 'live')),
    time_zone  text not null,
    created_at timestamptz not null default clock_timestamp()
);
