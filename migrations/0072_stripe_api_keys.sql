-- What opens Stripe's API for an endpoint's account. In clear: it is sent.
alter table stripe_endpoints add column api_key text;

-- How far a reading of Stripe's events that was cut short got: what it read, from the newest event to the oldest.
create table stripe_syncs (
    tenant         text not null references tenants,
    stripe_account text not null,
    livemode       boolean not null,
    since          bigint not null,
    newest         text not null,
    oldest         text not null,
    noted_at       timestamptz not null default clock_timestamp(),
    primary key (tenant, stripe_account, livemode)
);
