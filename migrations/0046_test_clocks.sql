-- Clocks that a test tenant moves by hand, each the present of the accounts bound to it. What stands here is the truth
-- about a clock's present, for every process.
create table test_clocks (
    tenant       text        not null references tenants,
    clock        text        not null,
    now          timestamptz not null,
    -- Where to, while accounts are being stepped there: an advance cut short is taken up again from this.
    advancing_to timestamptz,
    -- What it was made with, so that a retry is answered as the first time.
    started_at   timestamptz not null,
    request_hash bytea       not null,
    made_at      timestamptz not null default clock_timestamp(),
    primary key (tenant, clock),
    check (advancing_to > now)
);
create index test_clocks_advancing on test_clocks (tenant, clock) where advancing_to is not null;

-- Accounts that are, or were about to be, opened on a clock: written before the account, which itself says whether it is
-- bound (AccountOpened.test_clock). So none is missed.
create table test_clock_accounts (
    tenant  text not null,
    clock   text not null,
    account text not null,
    primary key (tenant, account, clock),
    foreign key (tenant, clock) references test_clocks
);
create index test_clock_accounts_by_clock on test_clock_accounts (tenant, clock);
