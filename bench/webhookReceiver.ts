// A receiver of the webhook, in a process of its own: it takes all, and tells when it has had as many events as it is told.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

let wanted = Number.POSITIVE_INFINITY;
let received = 0;
const told = () => {
  if (received < wanted) return;
  wanted = Number.POSITIVE_INFINITY;
  process.send?.('all');
};
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const event: unknown = JSON.parse(Buffer.concat(chunks).toString());
    received += Array.isArray(event) ? event.length : 1;
    response.writeHead(204).end();
    told();
  });
});
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('message', (count) => {
  wanted = Number(count);
  told();
});
