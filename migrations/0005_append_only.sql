-- What is written stays: corrections are new events.
create function events_refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'events are append-only: % is refused', lower(tg_op)
        using errcode = 'restrict_violation', hint = 'Correct with a new event.';
end
$$;

create trigger events_append_only before update or delete or truncate on events
    for each statement execute function events_refuse_change();
