-- Append-only by privilege, too: the writer may insert and select, the reader may select, neither may change.
-- Roles belong to the whole cluster: they may exist already, and a login may not be allowed to make them. Then the
-- triggers alone protect the log, and a notice says so.
do $$
declare
    wanted text;
begin
    foreach wanted in array array['tallybook_owner', 'tallybook_writer', 'tallybook_reader'] loop
        if not exists (select from pg_roles where rolname = wanted) then
            begin
                execute format('create role %I nologin', wanted);
            exception when duplicate_object or unique_violation then
                null; -- another database of this cluster is being migrated at this moment
            end;
        end if;
        if not pg_has_role(current_user, wanted, 'member') then
            execute format('grant %I to current_user', wanted);
        end if;
    end loop;

    grant usage on schema public to tallybook_writer, tallybook_reader;
    grant usage, create on schema public to tallybook_owner;
    grant select on all tables in schema public to tallybook_writer, tallybook_reader;
    grant insert on events, event_digests, seals to tallybook_writer;
    alter default privileges in schema public grant select on tables to tallybook_reader;

    alter table events owner to tallybook_owner;
    alter table event_digests owner to tallybook_owner;
    alter table seals owner to tallybook_owner;
exception when insufficient_privilege then
    raise warning 'roles tallybook_owner, tallybook_writer and tallybook_reader cannot be used here (%): the log is protected by its triggers alone', sqlerrm;
end
$$;
