-- What sub-ledger keys stand for, event by event, so that a report of what was known earlier knows no later terms; and who
-- posted an entry.
alter table books_v1.journal_entries add column posted_by text not null default '';

create table books_v1.sub_ledger_terms (
    tenant         text        not null,
    account_id     text        not null,
    ledger_account text        not null,
    sub_key        text        not null,
    -- The event that says so; what a later one does not say stays as it was.
    position       bigint      not null,
    product        text,
    source         text,
    starts_at      timestamptz,
    ends_at        timestamptz,
    primary key (tenant, account_id, ledger_account, sub_key, position)
);

create or replace view journal_entries as select * from books_v1.journal_entries;
create view sub_ledger_terms as select * from books_v1.sub_ledger_terms;
