-- What somebody should look at: raised once for as long as it lasts, and told to the tenant's address until that takes
-- it. Operation, not account data: exempt from the rule that keys contain tenant and account.
create table alarms (
    alarm      bigint generated always as identity primary key,
    tenant     text not null references tenants,
    -- A stable code.
    kind       text not null,
    -- What it is about: an id.
    subject    text not null,
    detail     jsonb not null,
    raised_at  timestamptz not null default clock_timestamp(),
    -- When it was over.
    cleared_at timestamptz,
    -- When the address took it.
    told_at    timestamptz,
    attempts   integer not null default 0,
    retry_at   timestamptz not null default clock_timestamp()
);

create unique index alarms_open on alarms (tenant, kind, subject) where cleared_at is null;
create index alarms_untold on alarms (retry_at) where told_at is null;

-- Where a tenant's alarms are posted to, and what they are signed with. In clear: it signs.
create table alarm_addresses (
    tenant     text primary key references tenants,
    url        text not null,
    secret     text not null,
    changed_at timestamptz not null default clock_timestamp()
);
