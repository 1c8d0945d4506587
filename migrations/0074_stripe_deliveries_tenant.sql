-- A delivery's tenant is that of the endpoint it came to, which references it. Checked once more for every row, the check
-- would lock the same row of tenants for all deliveries at once.
alter table stripe_deliveries drop constraint stripe_deliveries_tenant_fkey;
