// A node:http server that stores a job for each request in SQLite, reduced to its core: a durable commit before the response, and
// another of the job's end. The requests of a turn of the event loop share a commit. What an asynchronous call costs at least.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { listen } from './answer.ts';

const NODES = 64;
const database = new DatabaseSync(process.env.DATABASE ?? '');
database.exec(`
  pragma journal_mode = wal; pragma synchronous = full;
  drop table if exists jobs;
  create table jobs (
    id text primary key, node text not null, state text not null, begun integer not null, ended integer, result text
  );
  create index jobs_node on jobs (node, id)`);
const begin = database.prepare("insert into jobs (id, node, state, begun) values (?, ?, 'running', ?)");
const end = database.prepare(
  "update jobs set state = 'succeeded', ended = ?, result = ? where id = ? and state = 'running'",
);

const waiting: { write(): void; stored(): void }[] = [];

/** Calls `write` in the next commit. Resolves when that is on the disk. */
function store(write: () => void): Promise<void> {
  return new Promise((stored) => {
    if (waiting.push({ write, stored }) === 1) setImmediate(commit);
  });
}

function commit(): void {
  const members = waiting.splice(0);
  database.exec('begin immediate');
  for (const { write } of members) write();
  database.exec('commit');
  for (const { stored } of members) stored();
}

let next = 0;
listen(
  createServer((request, response) => {
    request.on('data', () => {});
    request.on('end', async () => {
      // In the order of their time, as those of the service.
      const id = `${Date.now().toString(16)}-${randomUUID()}`;
      const node = `node-${next++ % NODES}`;
      await store(() => begin.run(id, node, Date.now()));
      response.writeHead(202, { 'Content-Length': 0 });
      response.end();
      await store(() => end.run(Date.now(), 'null', id));
    });
  }),
);
