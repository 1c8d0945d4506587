-- What waits, the longest first: few, and looked at every minute for those that have waited too long.
create index stripe_deliveries_parked on stripe_deliveries (received_at) where status = 'parked';
