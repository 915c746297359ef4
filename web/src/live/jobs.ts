import { createClient } from '@connectrpc/connect';
import { type Job, JobService, JobState } from '../../../gen/passthru/v1/job_pb.ts';
import { WatchMarker } from '../../../gen/passthru/v1/watch_pb.ts';
import { Emitter } from '../parts/emitter.ts';
import { session } from '../session/session.ts';
import { type Change, LiveTable } from './liveTable.ts';
import { markerOf, NOTHING } from './marker.ts';

const PAGE_SIZE = 200;
/** How many of the newest jobs are read: the service may keep a hundred thousand. */
export const NEWEST_JOBS = 1000;

const client = createClient(JobService, session.transport);

async function* newest(signal: AbortSignal): AsyncGenerator<Job[], void> {
  let pageToken = '';
  let read = 0;
  do {
    const page = await client.listJobs({ pageSize: PAGE_SIZE, pageToken }, { signal });
    yield page.jobs;
    read += page.jobs.length;
    pageToken = page.nextPageToken;
  } while (pageToken !== '' && read < NEWEST_JOBS);
  olderJobs.reset(pageToken);
  // Running ones may be older.
  if (pageToken !== '')
    yield (await client.listJobs({ pageSize: PAGE_SIZE, state: JobState.RUNNING }, { signal })).jobs;
}

/** What older jobs are narrowed to by the service. */
export interface JobsFilter {
  /** A UUID or name; empty for all. */
  node: string;
  /** UNSPECIFIED for all. */
  state: JobState;
}

/** The jobs before the newest, which are read only when someone asks for them. */
class OlderJobs extends Emitter {
  /** Where the newest end; empty when there are no others. */
  #end = '';
  /** Where what has been read ends, by filter. */
  #ends = new Map<string, string>();

  reset(end: string): void {
    this.#end = end;
    this.#ends.clear();
    this.emit();
  }

  /** Whether there may be more jobs of `filter`. */
  more(filter: JobsFilter): boolean {
    return this.#place(filter) !== '';
  }

  /** Reads a further page of the jobs of `filter` into `liveJobs`. */
  async read(filter: JobsFilter): Promise<void> {
    const page = await client.listJobs({ pageSize: PAGE_SIZE, pageToken: this.#place(filter), ...filter });
    for (const job of page.jobs) liveJobs.put(job);
    this.#ends.set(keyOf(filter), page.nextPageToken);
    this.emit();
  }

  #place(filter: JobsFilter): string {
    return this.#ends.get(keyOf(filter)) ?? this.#end;
  }
}

export const olderJobs = new OlderJobs();

function keyOf({ node, state }: JobsFilter): string {
  return `${state} ${node}`;
}

/** The newest jobs, and those that run. */
export const liveJobs = new LiveTable<Job>({
  keyOf: ({ id }) => id,
  isNewer: (job, known) => job.revision >= known.revision,
  pages: newest,
  async *watch(cursor, signal): AsyncGenerator<Change<Job>, void> {
    const request = cursor === null ? { driver: NOTHING } : { cursor };
    for await (const { event, cursor: reached } of client.watchJobs(request, { signal })) {
      if (event.case === 'job') yield { item: event.value, cursor: reached };
      else yield { marker: markerOf(event.value ?? WatchMarker.UNSPECIFIED), cursor: reached };
    }
  },
});

/** The newest job of each node. */
class LastJobs extends Emitter {
  #byNode: ReadonlyMap<string, Job> = new Map();

  constructor() {
    super();
    liveJobs.subscribe(() => {
      const byNode = new Map<string, Job>();
      for (const job of liveJobs.items) {
        const known = byNode.get(job.nodeUuid);
        if (known === undefined || began(job) >= began(known)) byNode.set(job.nodeUuid, job);
      }
      this.#byNode = byNode;
      this.emit();
    });
  }

  start(): void {
    liveJobs.start();
  }

  of(nodeUuid: string): Job | undefined {
    return this.#byNode.get(nodeUuid);
  }
}

export const lastJobs = new LastJobs();

function began({ createTime }: Job): number {
  return Number(createTime?.seconds ?? 0n) * 1e9 + (createTime?.nanos ?? 0);
}
