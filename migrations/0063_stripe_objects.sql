-- The settled view of every object: its winner, whose it is, why it waits. A cache of the inbox, kept by settlement.
create table stripe_objects (
    tenant         text not null,
    stripe_account text not null,
    livemode       boolean not null,
    object_id      text not null,
    kind           text not null,
    -- The customer of the component it is settled with.
    customer       text,
    account        text,
    group_id       text,
    winner_event   text not null,
    winner_created bigint not null,
    -- The normalised fields.
    winner         jsonb not null,
    settled_at     timestamptz not null default clock_timestamp(),
    primary key (tenant, stripe_account, livemode, object_id)
);

create index stripe_objects_customer on stripe_objects (tenant, stripe_account, livemode, customer);
