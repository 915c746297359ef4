import { setTimeout as sleep } from 'node:timers/promises';
import { toJsonString } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { type Job, JobSchema, type JobState } from '../../gen/passthru/v1/job_pb.ts';
import { type Node, NodeSchema } from '../../gen/passthru/v1/node_pb.ts';
import { ANONYMOUS } from '../../src/core/caller.ts';
import { readCursor } from '../../src/core/watch/cursor.ts';
import type { Told } from './chaosClient.ts';
import { grpcClient } from './grpcClient.ts';
import type { Random } from './random.ts';
import { restClient } from './restClient.ts';
import { anyReplica, type ChaosWorld, count } from './world.ts';

/** The maximum number of errors kept for each watcher: the first ones explain the others. */
const MAX_ERRORS = 20;

/** Watches all jobs or nodes, or those of one hardware type, through changing replicas and protocols, by its cursor. */
export class ManyWatcher {
  readonly kind: 'job' | 'node';
  /** '' for all. */
  readonly driver: string;
  /** The position of its state; null before that was told. */
  start: number | null = null;
  /** The positions of the changes that were told after that. */
  readonly positions: number[] = [];
  /** What was told of each job or node last, in JSON. */
  readonly last = new Map<string, string>();
  /** The revisions of each job that were told as changes, with their states. */
  readonly revisions = new Map<string, [revision: number, state: JobState][]>();
  /** What each node has shown; see `Mark`. */
  readonly marks = new Set<string>();
  readonly errors: string[] = [];
  readonly ended: Promise<void>;
  readonly #world: ChaosWorld;
  readonly #random: Random;
  readonly #stop = new AbortController();
  /** The mark of each kind that a node shows. */
  readonly #shown = new Map<string, string>();
  readonly #updated = new Map<string, number>();
  #cursor = '';

  constructor(world: ChaosWorld, kind: 'job' | 'node', driver: string, random: Random) {
    this.kind = kind;
    this.driver = driver;
    this.#world = world;
    this.#random = random;
    this.ended = this.#watch();
  }

  get name(): string {
    return `a watcher of ${this.kind}s${this.driver === '' ? '' : ` of ${this.driver}`}`;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.ended;
  }

  async #watch(): Promise<void> {
    const stop = this.#stop.signal;
    while (!stop.aborted) {
      const replica = anyReplica(this.#world, this.#random);
      const client = this.#random.pick([restClient, grpcClient]);
      if (replica !== null) {
        const where = `${replica.name} over ${client.name}`;
        count(this.#world, this.#cursor === '' ? 'watches of many: begun' : 'watches of many: resumed by a cursor');
        // It also leaves by itself.
        const signal = AbortSignal.any([stop, AbortSignal.timeout(Math.floor(this.#random.between(1000, 15_000)))]);
        const isSlow = this.#random.chance(0.2);
        try {
          for await (const told of client.watchMany(replica.url, this.kind, this.driver, this.#cursor, signal)) {
            this.#see(told, where);
            if (isSlow) await sleep(this.#random.below(20));
          }
        } catch {
          // The replica was killed, is shutting down, or has no database: another one is tried.
        }
      }
      await sleep(50, undefined, { signal: stop }).catch(() => {});
    }
  }

  #see({ cursor, event }: Told, where: string): void {
    if (cursor !== '') {
      const { position } = readCursor(this.kind, cursor);
      if (event.kind === 'current') {
        if (this.start !== null) this.#fail(`the current state again, from ${where}`);
        this.start = position;
      } else {
        if (position <= (this.positions.at(-1) ?? this.start ?? -1)) {
          this.#fail(`position ${position} after ${this.positions.at(-1) ?? this.start}, from ${where}`);
        }
        this.positions.push(position);
        count(this.#world, `changes of ${this.kind}s told`);
      }
      this.#cursor = cursor;
    } else if (this.#cursor !== '') this.#fail(`${event.kind} without a cursor, from ${where}`);
    if (event.kind === 'job') this.#seeJob(event.item, cursor, where);
    else if (event.kind === 'node') this.#seeNode(event.item, where);
    else if (event.kind === 'removed') this.#seeRemoved(event.uuid, where);
  }

  #seeJob(job: Job, cursor: string, where: string): void {
    this.last.set(job.id, toJsonString(JobSchema, job));
    if (cursor === '') return;
    const seen = this.revisions.get(job.id) ?? [];
    this.revisions.set(job.id, seen);
    const before = seen.at(-1)?.[0];
    if (before !== undefined && Number(job.revision) !== before + 1) {
      this.#fail(`revision ${job.revision} of job ${job.id} after ${before}, from ${where}`);
    }
    seen.push([Number(job.revision), job.state]);
  }

  #seeNode(node: Node, where: string): void {
    const { uuid, reservation, description, updateTime } = node;
    if (this.marks.has(`${uuid} removed`)) this.#fail(`node ${uuid} after its removal, from ${where}`);
    this.last.set(uuid, toJsonString(NodeSchema, node));
    this.#show(uuid, 'enrolled', '', where);
    this.#show(uuid, 'description', description, where);
    this.#show(uuid, 'holder', reservation?.holder ?? '', where);
    this.#show(uuid, 'reason', reservation?.reason ?? '', where);
    this.#show(uuid, 'job', reservation?.job ?? '', where);
    const updated = updateTime === undefined ? 0 : timestampMs(updateTime);
    if (updated < (this.#updated.get(uuid) ?? 0)) this.#fail(`an older state of node ${uuid}, from ${where}`);
    this.#updated.set(uuid, updated);
  }

  #seeRemoved(uuid: string, where: string): void {
    if (this.marks.has(`${uuid} removed`)) this.#fail(`node ${uuid} removed twice, from ${where}`);
    this.last.delete(uuid);
    this.marks.add(`${uuid} removed`);
  }

  /** Notes what a node shows, and that it shows nothing of a kind a second time, except a replica or its caller as the holder. */
  #show(uuid: string, kind: string, value: string, where: string): void {
    const mark = `${uuid} ${kind}${value === '' ? '' : ` ${value}`}`;
    if (this.#shown.get(`${uuid} ${kind}`) === mark) return;
    this.#shown.set(`${uuid} ${kind}`, mark);
    // A hold with a key is its caller's, and has a reason of its own.
    const isOnce = value !== '' && !value.startsWith('replica-') && value !== ANONYMOUS.name;
    if (isOnce && this.marks.has(mark)) this.#fail(`${kind} ${value} of node ${uuid} again, from ${where}`);
    this.marks.add(mark);
  }

  #fail(text: string): void {
    if (this.errors.length < MAX_ERRORS) this.errors.push(text);
  }
}
