-- Balances, lots and holds. Quantities are millionths of a credit, money is minor units.
-- What is due but not yet written (an expiry, a hold's end) is not applied here: readers fold it in.
create schema credits_v1;

create table credits_v1.lots (
    tenant        text        not null,
    account_id    text        not null,
    grant_id      text        not null,
    -- The grant's first event in the stream: the order of lists.
    sequence      bigint      not null,
    unit          text        not null,
    source        text        not null,
    priority      integer     not null,
    effective_at  timestamptz not null,
    expires_at    timestamptz,
    payment_id    text,
    invoice_line  text,
    reference     text,
    cost          bigint,
    currency      text,
    granted       bigint      not null default 0,
    available     bigint      not null default 0,
    held          bigint      not null default 0,
    frozen        bigint      not null default 0,
    consumed      bigint      not null default 0,
    expired       bigint      not null default 0,
    revoked       bigint      not null default 0,
    overdrawn     bigint      not null default 0,
    cost_released bigint      not null default 0,
    position      bigint      not null,
    primary key (tenant, account_id, grant_id)
);
create index lots_by_sequence on credits_v1.lots (tenant, account_id, sequence);

-- Sums over all time have no bound that fits a bigint: an account may be granted the greatest quantity again and again.
create table credits_v1.balances (
    tenant     text    not null,
    account_id text    not null,
    unit       text    not null,
    granted    numeric not null,
    available  numeric not null,
    held       numeric not null,
    frozen     numeric not null,
    consumed   numeric not null,
    expired    numeric not null,
    revoked    numeric not null,
    overdrawn  numeric not null,
    position   bigint  not null,
    primary key (tenant, account_id, unit)
);

create table credits_v1.holds (
    tenant     text        not null,
    account_id text        not null,
    hold_id    text        not null,
    sequence   bigint      not null,
    unit       text        not null,
    units      bigint      not null,
    captured   bigint      not null default 0,
    -- [{grant, units}], as first reserved.
    slices     jsonb       not null,
    placed_at  timestamptz not null,
    expires_at timestamptz not null,
    feature    text,
    reference  text,
    -- released, timed_out or captured; null while open.
    ended      text,
    ended_at   timestamptz,
    position   bigint      not null,
    primary key (tenant, account_id, hold_id)
);
create index holds_by_sequence on credits_v1.holds (tenant, account_id, sequence);

create view lots as select * from credits_v1.lots;
create view balances as select * from credits_v1.balances;
create view holds as select * from credits_v1.holds;

insert into projection_builds (name, version, build, schema_name, state) values ('credits', 1, 1, 'credits_v1', 'live');
