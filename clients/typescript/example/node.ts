// Runs the example in Node.
//
//   node node.ts [URL [NODE [connect|grpc|grpc-web|fetch]]]
import type { Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { createConnectTransport as createFetchTransport } from '@connectrpc/connect-web';
import { show } from './show.ts';

/** The transports by name. `fetch` is the transport for browsers, which does not use Node's own HTTP. */
const TRANSPORTS: Record<string, (baseUrl: string) => Transport> = {
  connect: (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1' }),
  grpc: (baseUrl) => createGrpcTransport({ baseUrl }),
  'grpc-web': (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' }),
  fetch: (baseUrl) => createFetchTransport({ baseUrl }),
};

const [baseUrl = 'http://127.0.0.1:6385', node = 'fake-1', transport = 'connect'] = process.argv.slice(2);
await show(TRANSPORTS[transport]!(baseUrl), node, console.log);
