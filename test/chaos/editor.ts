import { setTimeout as sleep } from 'node:timers/promises';
import { describeNode, enrolNode, getNode, removeNode } from './grpcClient.ts';
import type { Random } from './random.ts';
import { anyReplica, type ChaosNode, type ChaosWorld, count, newMark } from './world.ts';

/** Changes the description of a node. */
export async function editNode(world: ChaosWorld, node: ChaosNode, random: Random): Promise<void> {
  const replica = anyReplica(world, random);
  if (replica === null) return;
  const description = newMark(world, 'edit');
  try {
    await describeNode(replica.url, node.uuid, description);
  } catch (error) {
    world.history.add(node.uuid, `${description} at ${replica.name} failed: ${error}`);
    return;
  }
  count(world, 'nodes changed');
  world.history.add(node.uuid, `${description} at ${replica.name}: done`);
  world.marks.push({ node: node.uuid, driver: node.driver, mark: `description ${description}` });
}

/** Enrols a node and removes it again. */
export async function enrolBriefly(world: ChaosWorld, random: Random, deadline: AbortSignal): Promise<void> {
  const first = anyReplica(world, random);
  if (first === null) return;
  const driver = random.pick(['redfish', 'chaos']);
  let uuid: string;
  try {
    uuid = await enrolNode(first.url, newMark(world, 'brief'), driver, 'http://127.0.0.1:1');
  } catch {
    // It may exist, and remain.
    return;
  }
  count(world, 'nodes enrolled and removed');
  world.marks.push({ node: uuid, driver, mark: 'enrolled' }, { node: uuid, driver, mark: 'removed' });
  while (!deadline.aborted) {
    const replica = anyReplica(world, random);
    const url = replica?.url ?? '';
    const removed = await removeNode(url, uuid).then(
      () => true,
      // An attempt whose response was lost may have removed it.
      () =>
        getNode(url, uuid)
          .then((node) => node === null)
          .catch(() => false),
    );
    if (removed) return;
    await sleep(300, undefined, { signal: deadline }).catch(() => {});
  }
}
