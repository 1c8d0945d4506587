-- What a tenant notes about the person behind an account: names, addresses. Beside the log on purpose, so that it can
-- be erased while the log stays whole.
create table profiles (
    tenant  text not null,
    account text not null,
    profile jsonb not null,
    primary key (tenant, account)
);
