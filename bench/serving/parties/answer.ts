import type { Server } from 'node:http';
import type { Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';

/** The body of each response: that of the service, in base64. */
export const ANSWER = Buffer.from(process.env.ANSWER ?? '', 'base64');

/** Listens on any free loopback port and prints where. */
export function listen(server: Server | Http2Server): void {
  server.listen(0, '127.0.0.1', () => {
    console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  process.once('SIGTERM', () => process.exit());
}
