-- Payments: what came in, what it bought, what was given back. Amounts are minor units of the payment's currency.
create schema payments_v1;

create table payments_v1.payments (
    tenant           text    not null,
    account_id       text    not null,
    payment_id       text    not null,
    -- The first event about it in the stream: the order of lists.
    sequence         bigint  not null,
    currency         text    not null,
    cash             numeric not null default 0,
    -- What PurchasePaid says; null for a payment that bought no credits.
    grant_id         text,
    unit             text,
    units            bigint,
    gross            bigint,
    tax              bigint,
    pack             text,
    paid_at          timestamptz,
    refunded         numeric not null default 0,
    refunded_paid    numeric not null default 0,
    -- Withdrawn less reinstated; of it, what lost disputes took for good.
    disputed         numeric not null default 0,
    lost             numeric not null default 0,
    dispute_fees     numeric not null default 0,
    disputes_opened  integer not null default 0,
    disputes_closed  integer not null default 0,
    position         bigint  not null,
    primary key (tenant, account_id, payment_id)
);
create index payments_by_sequence on payments_v1.payments (tenant, account_id, sequence);

create view payments as select * from payments_v1.payments;

-- A purchase is a payment that bought a lot; what was clawed back is the lot's.
create view purchases as
select payment.tenant, payment.account_id, payment.payment_id, payment.sequence, payment.grant_id, payment.unit,
       payment.units, payment.currency, payment.gross, payment.tax, payment.pack, payment.paid_at,
       payment.refunded, payment.disputed, payment.lost,
       coalesce(lot.granted, 0) as credits_granted,
       coalesce(lot.revoked, 0) as credits_revoked,
       coalesce(lot.frozen, 0)  as credits_frozen,
       case
           when payment.lost > 0                                 then 'dispute_lost'
           when payment.disputes_opened > payment.disputes_closed then 'disputed'
           when payment.refunded >= payment.gross and payment.refunded > 0 then 'refunded'
           when payment.refunded > 0                             then 'partially_refunded'
           else 'paid'
       end as status,
       greatest(payment.position, lot.position) as position
from payments payment
left join lots lot
       on lot.tenant = payment.tenant and lot.account_id = payment.account_id and lot.grant_id = payment.grant_id
where payment.grant_id is not null;

insert into projection_builds (name, version, build, schema_name, state) values ('payments', 1, 1, 'payments_v1', 'live');
