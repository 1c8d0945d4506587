-- The books: one row an entry with its lines beside it, and what the accounts come to.
create schema books_v1;

create table books_v1.journal_entries (
    tenant          text        not null,
    -- The stream: an account's id, or the name of another stream that has money (a treasury).
    account_id      text        not null,
    aggregate_type  text        not null,
    sequence        bigint      not null,
    position        bigint      not null,
    -- Gapless within a tenant, in the order of the log.
    entry_no        bigint      not null,
    natural_key     text        not null,
    event_type      text        not null,
    -- Whether the event undoes an earlier one under the same natural key.
    is_reversal     boolean     not null,
    effective_at    timestamptz not null,
    -- effective_at in the tenant's time zone.
    accounting_date date        not null,
    recorded_at     timestamptz not null,
    -- [{account, key, commodity, amount}]: debits positive, sums to zero in every commodity.
    lines           jsonb       not null,
    primary key (tenant, account_id, aggregate_type, sequence)
);
create index journal_entries_by_number on books_v1.journal_entries (tenant, entry_no);
create index journal_entries_by_date on books_v1.journal_entries (tenant, accounting_date, entry_no);
create index journal_entries_by_account on books_v1.journal_entries (tenant, account_id, entry_no);

-- The last entry_no given out. One row a tenant: numbering is the tenant's.
create table books_v1.entry_numbers (
    tenant text   not null primary key,
    last   bigint not null
);

create table books_v1.ledger_balances (
    tenant          text    not null,
    account_id      text    not null,
    ledger_account  text    not null,
    sub_key         text    not null,
    commodity       text    not null,
    accounting_date date    not null,
    debit           numeric not null,
    credit          numeric not null,
    primary key (tenant, account_id, ledger_account, sub_key, commodity, accounting_date)
);

-- The same without customers and keys: a trial balance must not read every customer's rows.
create table books_v1.ledger_totals (
    tenant          text    not null,
    ledger_account  text    not null,
    commodity       text    not null,
    accounting_date date    not null,
    debit           numeric not null,
    credit          numeric not null,
    primary key (tenant, ledger_account, commodity, accounting_date)
);

create view journal_entries as select * from books_v1.journal_entries;
create view entry_numbers as select * from books_v1.entry_numbers;
create view ledger_balances as select * from books_v1.ledger_balances;
create view ledger_totals as select * from books_v1.ledger_totals;

create view journal_lines as
select entry.tenant, entry.account_id, entry.position, entry.entry_no, entry.natural_key, entry.event_type,
       entry.is_reversal, entry.effective_at, entry.accounting_date, entry.recorded_at,
       line.ordinality as line_no,
       line.value ->> 'account'                as ledger_account,
       line.value ->> 'key'                    as sub_key,
       line.value ->> 'commodity'              as commodity,
       (line.value ->> 'amount')::bigint       as amount
from journal_entries entry
cross join lateral jsonb_array_elements(entry.lines) with ordinality as line (value, ordinality);

-- The trial balance by now; as of a date it is a sum over ledger_totals up to that date.
create view trial_balance as
select tenant, ledger_account, commodity, sum(debit) as debit, sum(credit) as credit, sum(debit - credit) as balance
from ledger_totals
group by tenant, ledger_account, commodity;

insert into projection_builds (name, version, build, schema_name, state) values ('books', 1, 1, 'books_v1', 'live');
