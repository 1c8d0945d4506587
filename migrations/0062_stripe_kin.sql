-- Which objects name one another, both ways: what is settled together is what can be reached over these.
create table stripe_kin (
    tenant         text not null,
    stripe_account text not null,
    livemode       boolean not null,
    object_id      text not null,
    kin_id         text not null,
    primary key (tenant, stripe_account, livemode, object_id, kin_id)
);
