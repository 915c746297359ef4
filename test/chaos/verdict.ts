import { TERMINAL } from './front.ts';
import { type ChaosNode, type ChaosWorld, type Creation, count } from './world.ts';

/** Something that must not be. */
export interface Violation {
  text: string;
  /** Null when it is not about one node. */
  node: ChaosNode | null;
}

const SUBSCRIPTIONS = '/redfish/v1/EventService/Subscriptions';

/**
 * What is not as it must be, when all is quiet.
 * @param pauses whether processes were stopped: then a request may have been sent after the lease it was checked under
 */
export async function judge(world: ChaosWorld, pauses: boolean): Promise<Violation[]> {
  return [
    ...(pauses ? [] : lateRequests(world)),
    ...(await jobViolations(world)),
    ...(await reservationViolations(world)),
    ...creationViolations(world),
    ...world.replicas
      .filter(({ crashes }) => crashes > 0)
      .map(({ name, crashes }) => ({ text: `${name} ended by itself ${crashes} times`, node: null })),
  ];
}

function lateRequests(world: ChaosWorld): Violation[] {
  return world.arrivals.late.map(({ node, fence, newest }) => ({
    text: `a request arrived under ${fence} after one under ${newest}`,
    node: world.nodes.find(({ uuid }) => uuid === node) ?? null,
  }));
}

/** Every accepted job has an end, and every watcher has seen it. */
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
    if (!states.has(id)) violations.push({ text: `job ${id} was accepted and is not there`, node });
  }
  for (const { job, node, state, faults } of watchers) {
    const stored = states.get(job);
    if (state !== stored) violations.push({ text: `a watcher of job ${job} saw ${state}, it is ${stored}`, node });
    for (const fault of faults) violations.push({ text: `to a watcher of job ${job} ${fault}`, node });
  }
  return violations;
}

async function reservationViolations({ postgres, database, nodes }: ChaosWorld): Promise<Violation[]> {
  const rows = await postgres.query<{ node_uuid: string; kind: string; owner: string }>(
    'select node_uuid, kind, owner from reservations where kind is not null',
    database,
  );
  return rows.map(({ node_uuid: uuid, kind, owner }) => ({
    text: `a reservation of kind ${kind} of ${owner} is left`,
    node: nodes.find((node) => node.uuid === uuid) ?? null,
  }));
}

/** No call was carried out twice, none that was refused was carried out, and all with one key were told the same. */
function creationViolations(world: ChaosWorld): Violation[] {
  const made = madeSubscriptions(world);
  const violations: Violation[] = [];
  for (const creation of world.creations) {
    const times = made.get(creation.destination) ?? 0;
    const text = faultOf(creation, times);
    if (text !== null) violations.push({ text: `${creation.destination}: ${text}`, node: creation.node });
  }
  count(
    world,
    'subscriptions made',
    [...made.values()].reduce((sum, times) => sum + times, 0),
  );
  return violations;
}

function faultOf({ call, told }: Creation, times: number): string | null {
  if (times > 1) return `made ${times} times`;
  if (call.key === null) {
    return times > 0 && told[0]?.kind === 'refused' ? `made, though refused: ${told[0].why}` : null;
  }
  const outcomes = new Set(
    told.flatMap((one) => (one.kind === 'job' || one.kind === 'result' ? [`${one.kind} ${one.id}`] : [])),
  );
  if (outcomes.size > 1) return `${call.key} was told ${[...outcomes].join(' and ')}`;
  const answered = told.some(({ kind }) => kind !== 'refused' && kind !== 'unanswered');
  return answered ? null : `${call.key} never had an outcome`;
}

/** How often each destination is subscribed at the machines. */
function madeSubscriptions({ fleet }: ChaosWorld): Map<string, number> {
  const made = new Map<string, number>();
  for (const { documents } of fleet.bmcs) {
    const members = documents.get(SUBSCRIPTIONS)?.Members as { '@odata.id': string }[];
    for (const member of members) {
      const destination = String(documents.get(member['@odata.id'])?.Destination);
      made.set(destination, (made.get(destination) ?? 0) + 1);
    }
  }
  return made;
}
