// Nodes that are held, with the keys of their reservations and without.
import { setTimeout as sleep } from 'node:timers/promises';
import { Code } from '@connectrpc/connect';
import { NodeService } from '../../gen/passthru/v1/node_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { basic, fails, type SoakClient } from './client.ts';
import { type Operation, operation } from './operation.ts';

const MEOW = { bar: 'meow' };
const AT_ONCE = { 'Passthru-Lock-Wait': '0' };

export const RESERVATIONS: readonly Operation[] = [
  operation(3, 'lock and unlock', async (client) => {
    const node = await lock(client);
    await client.call(node.name, 'third_method_sync', MEOW, [409], AT_ONCE);
    await client.rpc(NodeService).unlockNode({ node: node.name });
  }),
  operation(3, 'calls by the key of a reservation', callByKey),
  operation(2, 'reservation that expires', async (client) => {
    const { name: node, key } = await lock(client, 3n);
    await client.call(node, 'third_method_sync', MEOW, [200], { 'Passthru-Reservation-Key': key });
    await sleep(3100, null, { signal: client.signal });
    await fails([Code.FailedPrecondition], client.rpc(NodeService).renewLock({ node, reservationKey: key }));
  }),
];

/** Locks any node; returns its name and the key. */
async function lock(client: SoakClient, seconds?: bigint): Promise<{ name: string; key: string }> {
  const node = client.fakeNode();
  const duration = seconds === undefined ? {} : { duration: { seconds } };
  const request = { node, reason: 'soak', lockWait: { seconds: 0n }, ...duration };
  const { reservationKey } = await client.rpc(NodeService).lockNode(request);
  return { name: node, key: reservationKey };
}

async function callByKey(client: SoakClient): Promise<void> {
  const { name: node, key } = await lock(client, 60n);
  const nodes = client.rpc(NodeService);
  const header = { 'Passthru-Reservation-Key': key };
  await client.call(node, 'third_method_sync', MEOW, [200], header);
  // The key is handed to another caller.
  await client.call(node, 'third_method_sync', MEOW, [200], { ...header, ...basic('caller') });
  await client.call(node, 'third_method_sync', MEOW, [409], AT_ONCE);
  await nodes.renewLock({ node, reservationKey: key, duration: { seconds: 60n } });
  const calls = client.rpc(PassthruService);
  const request = { node, method: 'second_method', arguments: { bar: 'kazoo' }, reservationKey: key };
  const { outcome } = await calls.callNodeMethod(request);
  if (outcome.case !== 'job') throw new Error(`no job but ${outcome.case}`);
  for await (const _ of calls.watchJob({ jobId: outcome.value.id }));
  await nodes.unlockNode({ node, reservationKey: key });
  await fails([Code.FailedPrecondition], calls.callNodeMethod(request));
}
