-- What each subscription brings in a month, event by event.
create table books_v1.recurring (
    tenant          text        not null,
    account_id      text        not null,
    subscription_id text        not null,
    position        bigint      not null,
    effective_at    timestamptz not null,
    -- [{plan, currency, amount}], minor units.
    items           jsonb       not null,
    primary key (tenant, account_id, subscription_id, position)
);

create view recurring as select * from books_v1.recurring;
