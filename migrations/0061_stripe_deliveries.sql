-- The inbox: every delivery once by what it says, counted as often as it came. Not events and not account data: whose a
-- delivery is may turn out later, so its keys carry the tenant alone.
create table stripe_deliveries (
    tenant         text not null references tenants,
    stripe_account text not null,
    livemode       boolean not null,
    event_id       text not null,
    -- SHA-256 of the body without pending_webhooks: another rendering of the same event is another row.
    content_hash   text not null,
    delivery       bigint generated always as identity unique,
    event_type     text not null,
    object_kind    text,
    object_id      text,
    customer       text,
    -- What settlement reads, and all that outlives an erasure of the body. None for what is stored without effect.
    snapshot       jsonb,
    body           bytea,
    status         text not null check (status in ('stored', 'settled', 'parked', 'failed')),
    -- Why it is parked or failed: a stable code and a sentence.
    reason         text,
    detail         text,
    -- The id a parked one waits for.
    waits_for      text,
    attempts       integer not null default 0,
    retry_at       timestamptz not null default clock_timestamp(),
    received       bigint not null default 1,
    received_at    timestamptz not null default clock_timestamp(),
    settled_at     timestamptz,
    primary key (tenant, stripe_account, livemode, event_id, content_hash)
);

create index stripe_deliveries_object on stripe_deliveries (tenant, stripe_account, livemode, object_id);
create index stripe_deliveries_sessions on stripe_deliveries (tenant, stripe_account, livemode, customer)
    where object_kind = 'checkout.session';
create index stripe_deliveries_queue on stripe_deliveries (retry_at, delivery) where status = 'stored';
create index stripe_deliveries_status on stripe_deliveries (tenant, status, delivery);
