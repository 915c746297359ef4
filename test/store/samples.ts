import { randomUUID } from 'node:crypto';
import type { Job } from '../../src/core/job.ts';
import type { JobEnd, JobHold } from '../../src/core/jobs/jobStore.ts';
import type { Node } from '../../src/core/node.ts';
import type { Reservation } from '../../src/core/reservation.ts';
import type { Conductor, NewReservation, Store, StoredNode } from '../../src/core/store.ts';

export type CreatedNode = Parameters<Store['createNode']>[0];

/** Returns a node for `createNode`, unnamed, with the fields of `given`. */
export function sampleNode(given: Partial<Node> = {}): CreatedNode {
  return {
    uuid: randomUUID(),
    name: null,
    driver: 'fake-hardware',
    vendorInterface: 'fake',
    driverInfo: {},
    extra: {},
    properties: {},
    attributes: {},
    description: null,
    maintenance: false,
    maintenanceReason: null,
    createTime: new Date('2026-01-02T03:04:05.678Z'),
    fence: 0,
    ...given,
  };
}

/** Enrols a sample node. */
export async function enrol(store: Store, given: Partial<Node> = {}): Promise<StoredNode> {
  const node = await store.createNode(sampleNode(given));
  if ('taken' in node) throw new Error(`${node.taken} taken`);
  return node;
}

export function sampleReservation(given: Partial<Reservation> = {}): Reservation {
  return {
    holder: 'host-1',
    kind: 'call',
    method: 'eject_vmedia',
    requestedBy: 'alice',
    job: null,
    since: new Date('2026-01-02T03:04:06.789Z'),
    reason: null,
    expireTime: null,
    ...given,
  };
}

/** Reserves a node that must be free. Returns the fence. */
export async function reserve(store: Store, nodeUuid: string, given: Partial<NewReservation> = {}): Promise<number> {
  const acquired = await store.acquire(nodeUuid, { ...sampleReservation(), ...given }, 'process-1');
  if (acquired.outcome !== 'acquired') throw new Error(acquired.outcome);
  return acquired.fence;
}

/** Returns a conductor whose lease outlasts every test. */
export function sampleConductor(given: Partial<Conductor> = {}): Conductor {
  return { id: 'process-1', host: 'host-1', lease: 3_600_000, grace: 60_000, ...given };
}

/** Returns the hold of a job of process-1, under a reservation when `fence` is given. */
export function hold(fence: number | null = null, owner = 'process-1'): JobHold {
  return { owner, fence };
}

/** Reserves a node, changes it, and releases it. */
export async function update(
  store: Store,
  uuid: string,
  ...[changes, time]: [Parameters<Store['updateNode']>[2], Date]
): ReturnType<Store['updateNode']> {
  const fence = await reserve(store, uuid);
  try {
    return await store.updateNode(uuid, fence, changes, time);
  } finally {
    await store.release(uuid, fence);
  }
}

/** Returns a running job with an id made of `number`; greater ones are newer. */
export function sampleJob(number: number, given: Partial<Job> = {}): Job {
  return {
    id: `0197c5a0-0000-7000-8000-${String(number).padStart(12, '0')}`,
    nodeUuid: null,
    nodeName: null,
    driver: 'fake-hardware',
    method: 'slow',
    role: 'operator',
    state: 'running',
    revision: 1,
    createTime: new Date('2026-01-02T03:04:07.890Z'),
    endTime: null,
    progress: null,
    result: null,
    error: null,
    requestedBy: 'alice',
    ...given,
  };
}

/** Returns the successful end of `job`. */
export function sampleEnd(job: Job, given: Partial<JobEnd> = {}): JobEnd {
  return {
    id: job.id,
    state: 'succeeded',
    endTime: new Date('2026-01-02T03:05:00.001Z'),
    progress: null,
    result: null,
    error: null,
    lastError: null,
    ...given,
  };
}

/** Accepts a sample job that holds no reservation. */
export async function accept(store: Store, number: number, given: Partial<Job> = {}): Promise<Job> {
  const job = sampleJob(number, given);
  await store.acceptJob(job, hold(), null, {});
  return job;
}
