// The triggers by which PostgreSQL logs changes for watchers, as the migrations have made them.
import { type RawBuilder, sql } from 'kysely';

/**
 * Logs each revision of a job and each change of a reservation by a trigger, so that no statement can forget it, also of an
 * older program. A trigger runs after the row is locked: the changes of one row get ids in their order.
 */
export function postgresChanges(): RawBuilder<unknown>[] {
  return [
    sql`insert into change_logs (kind, log, position, floor)
      select kind, substr(md5(random()::text || clock_timestamp()::text), 1, 16), 0, 0
      from unnest(array['job', 'node']) as kind`,
    sql`create unique index job_changes_position on job_changes (position) where position is not null`,
    sql`create index job_changes_new on job_changes (id) where position is null`,
    sql`create table node_changes (
      id bigserial primary key,
      position bigint,
      time bigint not null default cast(floor(extract(epoch from clock_timestamp()) * 1000) as bigint),
      node_uuid text collate "C" not null,
      part text collate "C" not null,
      before text
    )`,
    sql`create unique index node_changes_position on node_changes (position) where position is not null`,
    sql`create index node_changes_new on node_changes (id) where position is null`,
    sql`create index node_changes_node on node_changes (node_uuid, part, id)`,
    sql`create function passthru_log_revision() returns trigger language plpgsql as $$
      begin
        insert into job_changes (job_id, revision) values (new.job_id, new.revision);
        return null;
      end $$`,
    sql`create trigger job_revisions_logged after insert on job_revisions
      for each row execute function passthru_log_revision()`,
    sql`create function passthru_log_reservation() returns trigger language plpgsql as $$
      begin
        insert into node_changes (node_uuid, part, before)
        values (new.node_uuid, 'reservation', case when old.kind is not null then (${shownReservation('old')})::text end);
        return null;
      end $$`,
    sql`create trigger reservations_logged after update on reservations for each row
      when (${shownReservation('old')} is distinct from ${shownReservation('new')})
      execute function passthru_log_reservation()`,
  ];
}

/**
 * Compares reservations within the function, whose expressions PostgreSQL compiles once for a connection: it compiles the
 * condition of a trigger at each update, which cost more than to log the change.
 */
export function compareInTrigger(): RawBuilder<unknown>[] {
  return [
    sql`create or replace function passthru_log_reservation() returns trigger language plpgsql as $$
      begin
        if old.kind is distinct from new.kind
          or ${shownReservation('old')} is distinct from ${shownReservation('new')} then
          insert into node_changes (node_uuid, part, before)
          values (new.node_uuid, 'reservation', case when old.kind is not null then (${shownReservation('old')})::text end);
        end if;
        return null;
      end $$`,
    sql`drop trigger reservations_logged on reservations`,
    sql`create trigger reservations_logged after update on reservations for each row
      execute function passthru_log_reservation()`,
  ];
}

/**
 * Logs reservations only while a process reads the log, see `NodeLogReaders`, and those of a statement together. Without an index
 * by what a call changes, PostgreSQL writes none of the indexes at a call.
 */
export function logForWatchers(now: RawBuilder<unknown>): RawBuilder<unknown>[] {
  return [
    sql`create table node_log_readers (
      id text collate "C" not null primary key,
      read_time bigint not null
    )`,
    // Running processes of an earlier version do not say that they read. They may be without a lease at the moment.
    sql`insert into node_log_readers (id, read_time)
      select '', ${now} + 86400000 where exists (select from conductors where id <> '')`,
    // Joins by a hash: by a loop over both, the end of thousands of calls of a lost process would time out.
    sql`create function passthru_log_reservations() returns trigger language plpgsql set enable_nestloop = off as $$
      begin
        if exists (select from node_log_readers) then
          insert into node_changes (node_uuid, part, before)
          select node_uuid, 'reservation', case when before.kind is not null then (${shownReservation('before')})::text end
          from rows_before as before join rows_after as after using (node_uuid)
          where before.kind is distinct from after.kind
            or ${shownReservation('before')} is distinct from ${shownReservation('after')};
        end if;
        return null;
      end $$`,
    sql`drop trigger reservations_logged on reservations`,
    sql`create trigger reservations_logged after update on reservations
      referencing old table as rows_before new table as rows_after
      for each statement execute function passthru_log_reservations()`,
    sql`drop function passthru_log_reservation()`,
    sql`drop index reservations_owner`,
  ];
}

/** All that a reservation shows, in columns that are added later too. */
function shownReservation(row: 'before' | 'after' | 'old' | 'new'): RawBuilder<unknown> {
  return sql.raw(`to_jsonb(${row}) - array['node_uuid', 'fence', 'owner', 'wanted', 'key_digest']`);
}
