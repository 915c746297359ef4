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
  // Running ones may be older.
  if (pageToken !== '')
    yield (await client.listJobs({ pageSize: PAGE_SIZE, state: JobState.RUNNING }, { signal })).jobs;
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
