// The same RPC framework with a handler that does nothing.
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { PassthruService } from '../gen/passthru/v1/passthru_pb.ts';
import { reportReady } from './server.ts';

const server = createServer(
  connectNodeAdapter({
    routes(router) {
      router.service(PassthruService, {
        callNodeMethod: () => ({ outcome: { case: 'result', value: { kind: { case: 'boolValue', value: true } } } }),
      });
    },
  }),
);
server.listen(0, '127.0.0.1', () => reportReady(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
process.once('SIGTERM', () => process.exit());
