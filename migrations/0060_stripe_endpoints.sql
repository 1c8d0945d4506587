-- Where Stripe's deliveries come in. The address of an endpoint carries no key of ours, so its name is unique over all
-- tenants. Not account data: exempt from the rule that keys contain tenant and account.
create table stripe_endpoints (
    endpoint       text primary key check (endpoint ~ '^[A-Za-z0-9_.:-]{1,64}$'),
    tenant         text not null references tenants,
    -- The Stripe account it belongs to; endpoints without one share the partition 'self'.
    stripe_account text not null default 'self',
    -- What becomes of a customer that names no account: one is named after it, or its objects wait.
    customers      text not null default 'create' check (customers in ('create', 'linked')),
    -- Signing secrets, newest first. In clear: a signature cannot be checked with a digest.
    secrets        text[] not null check (cardinality(secrets) > 0),
    created_at     timestamptz not null default clock_timestamp(),
    changed_at     timestamptz not null default clock_timestamp()
);

create index stripe_endpoints_tenant on stripe_endpoints (tenant);
