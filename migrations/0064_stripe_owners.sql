-- Whose a customer is, as last settled: when this changes, all that the customer has is settled anew.
create table stripe_customers (
    tenant         text not null,
    stripe_account text not null,
    livemode       boolean not null,
    customer       text not null,
    account        text not null,
    primary key (tenant, stripe_account, livemode, customer)
);

-- Every account on which something of a group may stand: written before the account's stream is, never taken back. So a
-- group that moves to another account is emptied wherever it ever was, whenever a process died.
create table stripe_group_accounts (
    tenant         text not null,
    stripe_account text not null,
    livemode       boolean not null,
    group_id       text not null,
    account        text not null,
    primary key (tenant, stripe_account, livemode, group_id, account)
);

-- The version of the tenant's catalog that invoices and subscriptions were last queued for.
create table stripe_catalogs (
    tenant  text primary key references tenants,
    version bigint not null
);
