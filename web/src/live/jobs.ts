import { createClient } from '@connectrpc/connect';
import { type Job, JobService, JobState } from '../../../gen/passthru/v1/job_pb.ts';
import { WatchMarker } from '../../../gen/passthru/v1/watch_pb.ts';
import { isRunning } from '../jobs/jobState.ts';
import { Emitter } from '../parts/emitter.ts';
import { session } from '../session/session.ts';
import { type Change, LiveTable } from './liveTable.ts';
import { markerOf, NOTHING } from './marker.ts';

const PAGE_SIZE = 200;
/** The most that the service returns at once. */
const MOST_PER_PAGE = 1000;
/** How many of the newest jobs are read: the service may keep a hundred thousand. */
export const NEWEST_JOBS = 1000;
/** How many are kept of those and the jobs that begin meanwhile; the oldest that have ended are let go of. */
const MOST_NEWEST = 2000;
/** How many older jobs are kept of those that someone has asked for. */
const MOST_OLDER = 2000;

const client = createClient(JobService, session.transport);

async function* newest(signal: AbortSignal): AsyncGenerator<Job[], void> {
  let pageToken = '';
  let read = 0;
  let last = '';
  do {
    const page = await client.listJobs({ pageSize: PAGE_SIZE, pageToken }, { signal });
    yield page.jobs;
    read += page.jobs.length;
    last = page.jobs.at(-1)?.id ?? last;
    pageToken = page.nextPageToken;
  } while (pageToken !== '' && read < NEWEST_JOBS);
  olderJobs.reset(pageToken, pageToken === '' ? '' : last);
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

/** Older jobs of a filter, as far as someone has read them. */
interface Past {
  filter: JobsFilter;
  /** The newest first. */
  jobs: readonly Job[];
  /** The token of the page that follows; empty when there is none. */
  end: string;
  /** The newest job that they may begin with. */
  edge: string;
  /** Whether the newest of them were let go of. */
  cut: boolean;
}

/** The jobs before the newest, which are read only when someone asks for them. */
class OlderJobs extends Emitter {
  /** The id of the newest job that the table of the newest does not have; ids grow with time. Empty when it has all. */
  #edge = '';
  /** The token of the page that begins there; null when it is not known. Empty when there are no others. */
  #token: string | null = '';
  #past: Past | null = null;

  /** Begins anew: the newest jobs end with that of the id `last`, and `token` leads to those before it. */
  reset(token: string, last: string): void {
    this.#token = token;
    this.#edge = last;
    this.emit();
  }

  /** Takes note that the table of the newest no longer has `job`. */
  dropped({ id }: Job): void {
    if (id < this.#edge) return;
    this.#edge = id;
    this.#token = null;
  }

  /** Whether there are any. */
  get exist(): boolean {
    return this.#token !== '';
  }

  /** Those that have been read last, of whatever filter. */
  get known(): readonly Job[] {
    return this.#past?.jobs ?? [];
  }

  /** Returns those of `filter` that have been read, and whether they are no longer next to the newest jobs. */
  of(filter: JobsFilter): { jobs: readonly Job[]; isApart: boolean } {
    const past = this.#pastOf(filter);
    if (past === null) return { jobs: [], isApart: false };
    return { jobs: past.jobs, isApart: past.cut || past.edge !== this.#edge };
  }

  /** Whether there may be more jobs of `filter`. */
  more(filter: JobsFilter): boolean {
    const past = this.#pastOf(filter);
    return past === null ? this.exist : past.end !== '';
  }

  /** Reads a further page of the jobs of `filter`. Those of another one are let go of. */
  async read(filter: JobsFilter): Promise<void> {
    const past = this.#pastOf(filter);
    const edge = past?.edge ?? this.#edge;
    const page =
      past === null
        ? await this.#first(filter)
        : await client.listJobs({ pageSize: PAGE_SIZE, pageToken: past.end, ...filter });
    const jobs = [...(past?.jobs ?? []), ...page.jobs];
    const cut = (past?.cut ?? false) || jobs.length > MOST_OLDER;
    this.#past = { filter, jobs: jobs.slice(-MOST_OLDER), end: page.nextPageToken, edge, cut };
    this.emit();
  }

  forget(): void {
    this.#past = null;
    this.emit();
  }

  #pastOf(filter: JobsFilter): Past | null {
    return this.#past !== null && keyOf(this.#past.filter) === keyOf(filter) ? this.#past : null;
  }

  /** Reads the first page of the jobs that the table of the newest does not have. */
  async #first(filter: JobsFilter): Promise<{ jobs: Job[]; nextPageToken: string }> {
    if (this.#token !== null) return client.listJobs({ pageSize: PAGE_SIZE, pageToken: this.#token, ...filter });
    const edge = this.#edge;
    for (let pageToken = ''; ; ) {
      const page = await client.listJobs({ pageSize: MOST_PER_PAGE, pageToken, ...filter });
      const jobs = page.jobs.filter(({ id }) => id <= edge);
      if (jobs.length > 0 || page.nextPageToken === '') return { jobs, nextPageToken: page.nextPageToken };
      pageToken = page.nextPageToken;
    }
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
  most: MOST_NEWEST,
  dropOrder: (one, other) => Number(isRunning(one)) - Number(isRunning(other)) || (one.id < other.id ? -1 : 1),
  onDrop: (job) => olderJobs.dropped(job),
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
