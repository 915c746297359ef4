import { setTimeout as delay } from 'node:timers/promises';
import type { Job } from '../../gen/passthru/v1/job_pb.ts';
import type { Connection } from './connection.ts';
import { CommandFailure, EXIT_STATUS } from './exitStatus.ts';
import { isBroken } from './failure.ts';
import { hasEnded, jobLine } from './jobRecord.ts';
import { visible } from './print/output.ts';

/** How long a service that went away is waited for, in milliseconds. */
const PATIENCE = 60_000;

/** Milliseconds between two tries to take a broken stream up again. */
const RETRY_INTERVAL = 1000;

/**
 * Follows a job to its end and answers it. What changes is told on standard error: a line for each change, or on a
 * terminal one line that is written anew. A stream that breaks is taken up again where it broke.
 * @param known the job as it is known already
 * @throws CommandFailure on Ctrl-C, which leaves the job running; what WatchJob throws, when that is final
 */
export async function watchJob({ passthru }: Connection, id: string, known?: Job): Promise<Job> {
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt);
  const line = new StatusLine();
  let last = known;
  let lostAt: number | null = null;
  try {
    if (last !== undefined) line.show(last);
    while (last === undefined || !hasEnded(last)) {
      try {
        const request = { jobId: id, afterRevision: last?.revision };
        for await (const { job } of passthru.watchJob(request, { signal: stop.signal })) {
          lostAt = null;
          if (job === undefined) continue;
          last = job;
          line.show(job);
        }
      } catch (error) {
        if (stop.signal.aborted) throw interrupted(id);
        if (!isBroken(error)) throw error;
        lostAt ??= Date.now();
        // Nothing was ever heard: then the service was not there to begin with.
        if (last === undefined || Date.now() - lostAt > PATIENCE) throw error;
      }
      if (last === undefined || !hasEnded(last)) await wait(stop.signal, id);
    }
    return last;
  } finally {
    process.off('SIGINT', interrupt);
    line.end();
  }
}

async function wait(signal: AbortSignal, id: string): Promise<void> {
  try {
    await delay(RETRY_INTERVAL, undefined, { signal });
  } catch {
    throw interrupted(id);
  }
}

function interrupted(id: string): CommandFailure {
  return new CommandFailure(
    EXIT_STATUS.interrupted,
    `stopped watching; the job goes on.\n  passthru job watch ${id}   follows it\n  passthru job cancel ${id}  stops it`,
  );
}

/** Characters between the brackets. */
const BAR_WIDTH = 20;

/** Where a job's changes are told. */
class StatusLine {
  #written = false;

  show(job: Job): void {
    const text = visible(jobLine(job)).replaceAll('\n', ' ');
    if (!process.stderr.isTTY) {
      process.stderr.write(`${new Date().toISOString()} ${text}\n`);
      return;
    }
    const line = hasEnded(job) ? text : `${progressBar(job.progress?.fraction)} ${text}`;
    // To the first column, and clear the line.
    process.stderr.write(`\r\x1b[K${[...line].slice(0, (process.stderr.columns || 80) - 1).join('')}`);
    this.#written = true;
  }

  end(): void {
    if (this.#written) process.stderr.write('\n');
  }
}

/** `[#####---------------]`; an empty one when nobody knows how far the job is. */
function progressBar(fraction = 0): string {
  const done = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_WIDTH);
  return `[${'#'.repeat(done)}${'-'.repeat(BAR_WIDTH - done)}]`;
}
