import { type Caller, checkOwner } from './caller.ts';
import type { Core } from './core.ts';
import type { Job } from './job.ts';

/**
 * As `Jobs.cancel`, for whoever may: the one who began the job, and admins.
 * @throws kind `permission_denied`, `job_not_found`
 */
export async function cancelOwnJob({ jobs }: Core, id: string, caller: Caller): Promise<Job> {
  const { requestedBy } = await jobs.get(id);
  checkOwner(caller, requestedBy, `cancel job ${id}`);
  return jobs.cancel(id, caller);
}
