// A node:http server that reads each request completely and returns BODY: an upper bound for any service.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { reportReady } from './server.ts';

const body = Buffer.from(process.env.BODY ?? '');
const server = createServer((request, response) => {
  request.on('data', () => {});
  request.on('end', () => {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length });
    response.end(body);
  });
});
server.listen(0, '127.0.0.1', () => reportReady(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
process.once('SIGTERM', () => process.exit());
