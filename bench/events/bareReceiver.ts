// What a receiver costs at least: node:http, and one transaction for what has arrived meanwhile, with the table and the indexes of
// the service, in which each path is another node. It parses nothing, knows no sources, and recognises no repeats. Environment: STORE, the URL of the store.
import { hash } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { silentLogger } from '../../src/core/logger.ts';
import { COLUMNS } from '../../src/store/events/eventRows.ts';
import { openStore } from '../../src/store/open.ts';
import { answer, processorTime } from './child.ts';

/** As the service's. */
const BATCH = 500;

const store = process.env.STORE!;
// Makes the tables.
await (await openStore(store, { log: silentLogger })).close();

const NAMES = Object.keys(COLUMNS);
type Row = (string | number | null)[];

interface Post {
  node: string;
  body: string;
}

const commit = store.startsWith('sqlite:') ? overSqlite(store.slice('sqlite:'.length)) : overPostgres(store);

let position = 0;

function rowOf({ node, body }: Post): Row {
  position++;
  const values: Record<string, string | number | null> = {
    ...{ position, time: Date.now(), node_uuid: node, node_name: null, kind: 'record', severity: 2 },
    ...{ registry_key: 'resourceevent', message_key: 'resourceerrorsdetected', message: 'text of about this length' },
    ...{ message_id: 'ResourceEvent.1.3.ResourceErrorsDetected', message_args: '["Fan 3","Overheated"]' },
    ...{ origin: '/redfish/v1/Chassis/1/ThermalSubsystem/Fans/3', event_type: 'Alert', bmc_event_id: '', bmc_time: 0 },
    ...{ gap_start: null, gap_end: null, truncated: 0, reference: null, digest: digestOf(body) },
    ...{ raw: body, bytes: 500, raw_bytes: body.length },
  };
  return NAMES.map((name) => values[name]!);
}

/** As long as the service's, and as near to each other. */
function digestOf(body: string): string {
  return Math.floor(Date.now() / 1000).toString(36) + hash('sha256', body, 'base64url').slice(0, 22);
}

function overSqlite(file: string): (rows: Row[]) => Promise<void> {
  const db = new DatabaseSync(file);
  db.exec('pragma journal_mode = wal; pragma wal_autocheckpoint = 8000; pragma synchronous = full');
  const insert = db.prepare(`insert into events (${NAMES}) values (${NAMES.map(() => '?')})`);
  const log = db.prepare("update change_logs set position = ? where kind = 'event'");
  return async (rows) => {
    db.exec('begin immediate');
    for (const row of rows) insert.run(...row);
    log.run(position);
    db.exec('commit');
  };
}

function overPostgres(url: string): (rows: Row[]) => Promise<void> {
  const client = new pg.Client(url);
  const connected = client.connect();
  const types = Object.entries(COLUMNS).map(([name, type]) => `${name} ${type}`);
  const text = `insert into events (${NAMES}) select ${NAMES} from json_to_recordset($1) as added (${types})`;
  return async (rows) => {
    await connected;
    await client.query('begin');
    const objects = rows.map((row) => Object.fromEntries(NAMES.map((name, index) => [name, row[index]])));
    await client.query({ name: 'insert', text, values: [JSON.stringify(objects)] });
    await client.query("update change_logs set position = $1 where kind = 'event'", [position]);
    await client.query('commit');
  };
}

const waiting: (Post & { response: ServerResponse })[] = [];
let isStoring = false;

async function storeWaiting(): Promise<void> {
  isStoring = true;
  await new Promise(setImmediate);
  while (waiting.length > 0) {
    const posts = waiting.splice(0, BATCH);
    await commit(posts.map(rowOf));
    for (const { response } of posts) response.writeHead(200, { 'Content-Length': 0 }).end();
  }
  isStoring = false;
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    waiting.push({ node: request.url!.slice(-36), body: Buffer.concat(chunks).toString(), response });
    if (!isStoring) void storeWaiting();
  });
});
server.listen(0, '127.0.0.1', () => {
  answer({
    url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    processorTime,
  });
});
