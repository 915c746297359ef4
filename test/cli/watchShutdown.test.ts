import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Code, ConnectError } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { expect, test, vi } from 'vitest';
import { NodeService } from '../../gen/passthru/v1/node_pb.ts';
import { WatchMarker } from '../../gen/passthru/v1/watch_pb.ts';
import { startPassthru } from './run.ts';

vi.setConfig({ testTimeout: 120_000 });

test('a watch says once that it lost a service that shuts down, which ends each stream and responds otherwise', async () => {
  let streams = 0;
  const adapter = connectNodeAdapter({
    routes: ({ service }) =>
      service(NodeService, {
        listNodes: () => ({ nodes: [] }),
        async *watchNodes(_request, { signal }) {
          streams++;
          if (streams === 1) yield { cursor: 'c', event: { case: 'marker', value: WatchMarker.CURRENT } };
          if (streams < 4) throw new ConnectError('shutting down', Code.Unavailable);
          yield { cursor: 'd', event: { case: 'node', value: { uuid: 'u', name: 'there again' } } };
          await once(signal, 'abort');
        },
      }),
  });
  const server = createServer(adapter);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const watch = startPassthru(['node', 'watch'], { PASSTHRU_SERVER: url });
  await watch.printed(/node there again/);
  watch.process.kill('SIGINT');
  const { status, stderr } = await watch.ended;
  server.close();
  expect([status, streams]).toEqual([130, 4]);
  expect(stderr).toBe(
    'connection lost, reconnecting to resume where it broke off\nconnected again\nerror: stopped watching\n',
  );
});
