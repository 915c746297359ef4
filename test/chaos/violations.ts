import { changeViolations } from './changeViolations.ts';
import { TERMINAL } from './chaosClient.ts';
import { eventViolations } from './eventViolations.ts';
import { type ChaosNode, type ChaosWorld, type Creation, count } from './world.ts';

/** A broken promise. */
export interface Violation {
  text: string;
  /** Null for a violation that is not about one node. */
  node: ChaosNode | null;
}

const SUBSCRIPTIONS = '/redfish/v1/EventService/Subscriptions';

/**
 * Returns the broken promises of a run that has ended.
 * @param pauses whether processes were paused: a paused one may send a request after its lease
 */
export async function findViolations(world: ChaosWorld, pauses: boolean): Promise<Violation[]> {
  return [
    ...(pauses ? [] : lateRequests(world)),
    ...(await jobViolations(world)),
    ...(await reservationViolations(world)),
    ...creationViolations(world),
    ...holdViolations(world),
    ...(await changeViolations(world)),
    ...(await eventViolations(world)),
    ...world.replicas
      .filter(({ crashes }) => crashes > 0)
      .map(({ name, crashes }) => ({ text: `${name} crashed ${crashes} times`, node: null })),
    ...world.replicas
      .filter(({ orphans }) => orphans > 0)
      .map(({ name, orphans }) => ({ text: `${orphans} workers of ${name} outlived it`, node: null })),
  ];
}

function lateRequests(world: ChaosWorld): Violation[] {
  return world.arrivals.late.map(({ node, fence, newest }) => ({
    text: `a request arrived with fence ${fence} after one with ${newest}`,
    node: world.nodes.find(({ uuid }) => uuid === node) ?? null,
  }));
}

/** Every accepted job ends, and every watcher sees its end. */
async function jobViolations(world: ChaosWorld): Promise<Violation[]> {
  const { postgres, database, jobs, watchers, nodes } = world;
  const rows = await postgres.query<{ id: string; state: string; node_uuid: string }>(
    'select id, state, node_uuid from jobs',
    database,
  );
  const states = new Map(rows.map(({ id, state }) => [id, state]));
  const violations: Violation[] = [];
  for (const { id, state, node_uuid: uuid } of rows) {
    count(world, `jobs: ${state}`);
    if (TERMINAL.has(state)) continue;
    violations.push({ text: `job ${id} is ${state}`, node: nodes.find((node) => node.uuid === uuid) ?? null });
  }
  for (const [id, node] of jobs) {
    if (!states.has(id)) violations.push({ text: `job ${id} was accepted and does not exist`, node });
  }
  for (const { job, node, state, errors } of watchers) {
    const stored = states.get(job);
    if (state !== stored) violations.push({ text: `a watcher of job ${job} saw ${state} instead of ${stored}`, node });
    for (const error of errors) violations.push({ text: `a watcher of job ${job} saw ${error}`, node });
  }
  return violations;
}

async function reservationViolations({ postgres, database, nodes }: ChaosWorld): Promise<Violation[]> {
  const rows = await postgres.query<{ node_uuid: string; kind: string; owner: string }>(
    'select node_uuid, kind, owner from reservations where kind is not null',
    database,
  );
  return rows.map(({ node_uuid: uuid, kind, owner }) => ({
    text: `a reservation of kind ${kind} of ${owner} remains`,
    node: nodes.find((node) => node.uuid === uuid) ?? null,
  }));
}

/** While a node is held, no call without the key has an effect; after that, none with the key has. */
function holdViolations({ holds, outside, lateKeys }: ChaosWorld): Violation[] {
  const within = outside.flatMap(({ node, begun, ended, what }) => {
    const hold = holds.find((one) => one.node === node && one.from <= begun && ended <= one.until);
    return hold === undefined ? [] : [{ text: `${what} without the key of the reservation that held the node`, node }];
  });
  const late = lateKeys.map(({ node, what }) => ({
    text: `${what} with the key of a reservation that had ended`,
    node,
  }));
  return [...within, ...late];
}

/** No call has its effect twice, no refused call has an effect, and calls with the same key have the same outcome. */
function creationViolations(world: ChaosWorld): Violation[] {
  const created = subscriptionCounts(world);
  const violations: Violation[] = [];
  for (const creation of world.creations) {
    const times = created.get(creation.destination) ?? 0;
    const text = violationOf(creation, times);
    if (text !== null) violations.push({ text: `${creation.destination}: ${text}`, node: creation.node });
  }
  count(
    world,
    'subscriptions created',
    [...created.values()].reduce((sum, times) => sum + times, 0),
  );
  return violations;
}

function violationOf({ call, outcomes }: Creation, times: number): string | null {
  if (times > 1) return `created ${times} times`;
  if (call.key === null) {
    return times > 0 && outcomes[0]?.kind === 'refused' ? `created, though refused: ${outcomes[0].reason}` : null;
  }
  const distinct = new Set(
    outcomes.flatMap((one) => (one.kind === 'job' || one.kind === 'result' ? [`${one.kind} ${one.id}`] : [])),
  );
  if (distinct.size > 1) return `${call.key} had the outcomes ${[...distinct].join(' and ')}`;
  const decided = outcomes.some(({ kind }) => kind !== 'refused' && kind !== 'no response');
  return decided ? null : `${call.key} never had an outcome`;
}

/** Returns the number of subscriptions to each destination at the BMCs. */
function subscriptionCounts({ fleet }: ChaosWorld): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { documents } of fleet.bmcs) {
    const members = documents.get(SUBSCRIPTIONS)?.Members as { '@odata.id': string }[];
    for (const member of members) {
      const destination = String(documents.get(member['@odata.id'])?.Destination);
      counts.set(destination, (counts.get(destination) ?? 0) + 1);
    }
  }
  return counts;
}
