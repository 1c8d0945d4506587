-- Accounts and plan state.
create schema accounts_v1;

create table accounts_v1.accounts (
    tenant           text        not null,
    account_id       text        not null,
    external_id      text,
    stripe_customers text[]      not null default '{}',
    opened_at        timestamptz not null,
    opened_position  bigint      not null,
    -- The stream's last event: what Tallybook-Expect-Version compares with, and where it stands in the log.
    version          bigint      not null,
    position         bigint      not null,
    primary key (tenant, account_id)
);
create index accounts_by_opening on accounts_v1.accounts (tenant, opened_position);
-- A text of any length: an index row holds some 2,700 bytes.
create index accounts_by_external_id on accounts_v1.accounts (tenant, left(external_id, 200));
create index accounts_by_stripe_customer on accounts_v1.accounts using gin (stripe_customers);

create table accounts_v1.subscriptions (
    tenant               text        not null,
    account_id           text        not null,
    subscription_id      text        not null,
    driver               text        not null,
    status               text        not null,
    -- [{item, price, quantity, plan?}], as the event has it.
    items                jsonb       not null,
    period_start         timestamptz not null,
    period_end           timestamptz not null,
    cancel_at_period_end boolean     not null,
    cancel_at            timestamptz,
    trial_end            timestamptz,
    ended_at             timestamptz,
    changed_at           timestamptz not null,
    position             bigint      not null,
    primary key (tenant, account_id, subscription_id)
);

create table accounts_v1.trials (
    tenant          text        not null,
    account_id      text        not null,
    subscription_id text        not null,
    status          text        not null,
    started_at      timestamptz not null,
    ends_at         timestamptz not null,
    changed_at      timestamptz not null,
    position        bigint      not null,
    primary key (tenant, account_id, subscription_id)
);

create view accounts as select * from accounts_v1.accounts;
create view subscriptions as select * from accounts_v1.subscriptions;
create view trials as select * from accounts_v1.trials;

insert into projection_builds (name, version, build, schema_name, state) values ('accounts', 1, 1, 'accounts_v1', 'live');
