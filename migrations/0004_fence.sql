-- The fence: every insert, whoever's, takes one transaction lock before its rows are produced, hence before their
-- positions are drawn. Locks are released after a commit is visible, so at every snapshot the visible rows are a prefix
-- by position, and a reader that asks for "position > n" misses nothing.
-- 1952541036 is 'tall' in ASCII, the class of Tallybook's advisory locks; 1 is the fence.
create function events_fence() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(1952541036, 1);
    return null;
end
$$;

create trigger events_fence before insert on events
    for each statement execute function events_fence();
