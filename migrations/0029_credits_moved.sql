-- Units that went on in another lot: rolled over, or transferred to another account.
alter table credits_v1.lots add column moved bigint not null default 0;
-- Of an account: what left for others, less what came from them.
alter table credits_v1.balances add column moved numeric not null default 0;

create or replace view lots as select * from credits_v1.lots;
create or replace view balances as select * from credits_v1.balances;
