import type { Caller } from '../caller.ts';
import type { Job, JobState } from '../job.ts';
import type { ShowJob, ShownJob } from '../jobs/shownJob.ts';
import type { Store } from '../store.ts';
import type { JobChange, JobScan } from './changeStore.ts';
import { pages } from './scan.ts';
import type { Feed, WatchEvent } from './watchEvent.ts';

/** The number of changes, or of jobs of the current state, read at once. */
const READ_AT_ONCE = 200;

/** Selects the jobs that a watcher is told of. */
export interface JobFilter {
  /** Equal for equal filters. */
  key: string;
  /** UUIDs; null for all. */
  nodes: ReadonlySet<string> | null;
  driver: string | null;
  state: JobState | null;
  requestedBy: string | null;
  /** The watcher, who sees jobs as their methods' roles allow. */
  caller: Caller;
}

/** Tells the changes of jobs: each revision. */
export class JobFeed implements Feed<JobChange, JobFilter, ShownJob> {
  readonly #store: Store;
  readonly #show: ShowJob;
  /** The two sights of each job, so that watchers who see the same get the same object. */
  readonly #shown = new WeakMap<Job, { whole?: ShownJob; part?: ShownJob }>();

  constructor(store: Store, show: ShowJob) {
    this.#store = store;
    this.#show = show;
  }

  async read(after: number): Promise<JobChange[] | null> {
    const changes = await this.#store.jobChanges(after, READ_AT_ONCE);
    const floor = await this.#store.changeFloor('job');
    // A job that was removed with its revisions.
    return after < floor || changes.some(({ job }) => job === null) ? null : changes;
  }

  select({ job }: JobChange, filter: JobFilter, cursor: string): WatchEvent<ShownJob> | null {
    if (job === null) return null;
    const { nodes, driver, state, requestedBy } = filter;
    const matches =
      (nodes === null || (job.nodeUuid !== null && nodes.has(job.nodeUuid))) &&
      (driver === null || job.driver === driver) &&
      (state === null || job.state === state) &&
      (requestedBy === null || job.requestedBy === requestedBy);
    return matches ? { kind: 'item', item: this.#shownTo(job, filter.caller), cursor } : null;
  }

  #shownTo(job: Job, caller: Caller): ShownJob {
    const shown = this.#show(job, caller);
    const sights = this.#shown.get(job) ?? {};
    this.#shown.set(job, sights);
    const sight = shown.requiredRole === null ? 'whole' : 'part';
    sights[sight] ??= shown;
    return sights[sight];
  }

  async *current({ caller, ...filter }: JobFilter, since: number): AsyncGenerator<ShownJob[], void> {
    const { nodes, driver, state, requestedBy } = filter;
    const scan: JobScan = { after: '', limit: READ_AT_ONCE };
    if (nodes !== null) scan.nodeUuids = [...nodes];
    if (driver !== null) scan.driver = driver;
    if (state !== null) scan.state = state;
    if (requestedBy !== null) scan.requestedBy = requestedBy;
    for await (const ids of pages(scan, (part) => this.#store.scanJobs(part))) {
      const jobs = await this.#store.jobsById(ids);
      const changed = await this.#store.jobsChangedSince(ids, since);
      yield jobs.filter(({ id }) => !changed.has(id)).map((job) => this.#show(job, caller));
    }
  }
}
