-- Read models. Each projection keeps its tables in a schema of its own build; plain views of the same names in "public"
-- show the live build, so readers never name a build and a swap is one transaction.
--
-- A row is a build: its checkpoint moves in the transaction that moves its rows, by compare-and-set on position.
-- Not account data: exempt from the rule that keys contain tenant and account.
create table projection_builds (
    name             text    not null,
    version          integer not null check (version > 0),
    build            integer not null check (build > 0),
    schema_name      text    not null unique,
    -- defined: tables exist, nobody fills them; building: filled beside the live one; live: what readers see;
    -- retired: replaced, its tables may be dropped.
    state            text    not null check (state in ('defined', 'building', 'live', 'retired')),
    position         bigint  not null default 0 check (position >= 0),
    -- Where the projection stopped at an event it cannot apply.
    stopped_position bigint,
    stopped_reason   text,
    stopped_at       timestamptz,
    primary key (name, version, build)
);

create unique index projection_builds_live on projection_builds (name) where state = 'live';
create unique index projection_builds_building on projection_builds (name) where state = 'building';
