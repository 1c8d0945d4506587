-- Every look-up of the inbox goes along an index, so that it costs the same over a thousand stored events and over a
-- million. By object first: callers name an object and not the Stripe account it is of.
drop index stripe_deliveries_object;
create index stripe_deliveries_object on stripe_deliveries (tenant, object_id, stripe_account, livemode);
alter table stripe_objects drop constraint stripe_objects_pkey;
alter table stripe_objects add primary key (tenant, object_id, stripe_account, livemode);
drop index stripe_objects_customer;
create index stripe_objects_customer on stripe_objects (tenant, customer, stripe_account, livemode);
create index stripe_objects_group on stripe_objects (tenant, group_id);

-- What a customer has that is not settled yet; what was settled is found over stripe_objects.
create index stripe_deliveries_unsettled on stripe_deliveries (tenant, customer) where status = 'stored';
