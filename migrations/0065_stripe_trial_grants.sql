-- The lots of credits that trials gave or could give: an account gets those of its first trial only. Which one that is
-- follows from the lots' own dates and names, so every settlement of one of them looks at all of them.
create table stripe_trial_grants (
    tenant         text not null,
    stripe_account text not null,
    livemode       boolean not null,
    grant_id       text not null,
    -- The invoice whose line says it.
    object_id      text not null,
    account        text not null,
    starts_at      timestamptz not null,
    primary key (tenant, stripe_account, livemode, grant_id)
);

create index stripe_trial_grants_object on stripe_trial_grants (tenant, stripe_account, livemode, object_id);
create index stripe_trial_grants_account on stripe_trial_grants (tenant, account, starts_at, grant_id);
