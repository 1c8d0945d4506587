-- What a tenant's own books call our accounts. Not account data: exempt from the rule that keys contain tenant and account.
create table gl_codes (
    tenant         text        not null,
    ledger_account text        not null,
    gl_code        text        not null check (gl_code <> ''),
    changed_at     timestamptz not null default clock_timestamp(),
    primary key (tenant, ledger_account)
);
