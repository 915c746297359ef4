import type { Connection } from './connection.ts';
import { CommandFailure, EXIT_STATUS } from './exitStatus.ts';
import { jobTarget, stateText } from './jobRecord.ts';

/** A beginning of an id that is worth looking for. */
const BEGINNING = /^[0-9a-f][0-9a-f-]{3,34}$/i;

/** The number of the newest jobs among which a beginning is looked for. */
const NEWEST = 1000;

/** Maximum number of jobs that an error lists. */
const MAX_LISTED = 5;

/**
 * Returns the id of the job that `ident` means: an id, or its beginning if only one of the newest jobs has it. Anything else
 * is returned as it is, for the service to refuse.
 * @throws CommandFailure when no job or several jobs begin so
 */
export async function findJobId({ jobs }: Connection, ident: string): Promise<string> {
  if (!BEGINNING.test(ident)) return ident;
  const { jobs: newest } = await jobs.listJobs({ pageSize: NEWEST });
  const found = newest.filter(({ id }) => id.startsWith(ident.toLowerCase()));
  if (found.length === 1) return found[0]!.id;
  if (found.length === 0) {
    const message = `no job begins with ${ident} among the ${NEWEST} newest; passthru job list shows their IDs`;
    throw new CommandFailure(EXIT_STATUS.notFound, message);
  }
  const lines = found
    .slice(0, MAX_LISTED)
    .map((job) => `\n  ${job.id}  ${job.method} on ${jobTarget(job)}, ${stateText(job)}`);
  const more = found.length > MAX_LISTED ? `\n  and ${found.length - MAX_LISTED} more` : '';
  throw new CommandFailure(EXIT_STATUS.failed, `${found.length} jobs begin with ${ident}:${lines.join('')}${more}`);
}
