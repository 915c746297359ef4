// A node:http server that runs two statements for each request, one after the other on one connection of PostgreSQL: those that
// reserve a node and release it, reduced to their core. What a call under a stored reservation costs at least.
import { createServer } from 'node:http';
import pg from 'pg';
import { ANSWER, listen } from './answer.ts';

const NODES = 64;
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
await pool.query('create table bare (id int primary key, fence bigint not null default 0, holder text)');
await pool.query(`insert into bare select generate_series(0, ${NODES - 1})`);

const take = {
  name: 'take',
  text: "update bare set fence = fence + 1, holder = 'bench' where id = $1 and holder is null returning fence",
};
const release = { name: 'release', text: 'update bare set holder = null where id = $1 and fence = $2 returning id' };
const headers = { 'Content-Type': process.env.CONTENT_TYPE, 'Content-Length': ANSWER.length };
/** The nodes that no request holds: with one that is slow, the turn of a held node could come again. */
const free = Array.from({ length: NODES }, (_, node) => node);

listen(
  createServer((request, response) => {
    request.on('data', () => {});
    request.on('end', async () => {
      const node = free.shift();
      const client = await pool.connect();
      const { rows } = await client.query({ ...take, values: [node] });
      await client.query({ ...release, values: [node, rows[0]?.fence] });
      client.release();
      if (node !== undefined) free.push(node);
      response.writeHead(rows.length === 1 ? 200 : 500, headers);
      response.end(ANSWER);
    });
  }),
);
