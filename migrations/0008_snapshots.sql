-- States as of a version, a cache of what the events say: losing it costs time alone. A snapshot is used only by those
-- whose rules have the same fingerprint, `shape`. Several versions of a stream are kept, so that a command recorded
-- long ago can be answered again without folding from the beginning.
create table snapshots (
    aggregate_type text        not null,
    aggregate_id   text        not null,
    shape          text        not null,
    version        bigint      not null check (version > 0),
    state          text        not null,
    taken_at       timestamptz not null default clock_timestamp(),
    primary key (aggregate_type, aggregate_id, shape, version)
);

do $$
begin
    grant select on snapshots to tallybook_writer, tallybook_reader;
exception when undefined_object or insufficient_privilege then
    null; -- no such roles here: the engine's connections act as this login
end
$$;
