import { setTimeout as delay } from 'node:timers/promises';
import type { Job } from '../../gen/passthru/v1/job_pb.ts';
import { visible } from '../process/terminalText.ts';
import type { Connection } from './connection.ts';
import { CommandFailure, EXIT_STATUS } from './exitStatus.ts';
import { isBroken } from './failure.ts';
import { hasEnded, jobLine } from './jobRecord.ts';
import { cutToWidth, terminalWidth } from './print/textWidth.ts';

/** How long to retry a lost connection, in ms. */
const RETRY_TIMEOUT = 60_000;

/** The time between two attempts to resume a broken stream, in ms. */
const RETRY_INTERVAL = 1000;

/**
 * Follows a job until it ends, and returns it. Prints changes to standard error: one line each, or one redrawn line on a
 * terminal. A broken stream is resumed where it broke.
 * @param known the latest known state of the job
 * @throws CommandFailure on Ctrl-C, which leaves the job running; the error of WatchJob when it is permanent
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
        lostAt ??= performance.now();
        // Without any response so far, the service was not there to begin with.
        if (last === undefined || performance.now() - lostAt > RETRY_TIMEOUT) throw error;
      }
      if (last !== undefined && hasEnded(last)) return last;
      await delay(RETRY_INTERVAL, undefined, { signal: stop.signal }).catch(() => {
        throw interrupted(id);
      });
    }
    return last;
  } finally {
    process.off('SIGINT', interrupt);
    line.end();
  }
}

function interrupted(id: string): CommandFailure {
  return new CommandFailure(
    EXIT_STATUS.interrupted,
    `stopped watching; the job is still running.\n  Follow it:  passthru job watch ${id}\n  Stop it:    passthru job cancel ${id}`,
  );
}

/** The number of characters between the brackets. */
const BAR_WIDTH = 20;

/** Prints the changes of a job. */
class StatusLine {
  #written = false;

  show(job: Job): void {
    const text = visible(jobLine(job)).replaceAll('\n', ' ');
    if (!process.stderr.isTTY) {
      process.stderr.write(`${new Date().toISOString()} ${text}\n`);
      return;
    }
    const line = hasEnded(job) ? text : `${progressBar(job.progress?.fraction)} ${text}`;
    // Return to the first column and clear the line.
    process.stderr.write(`\r\x1b[K${cutToWidth(line, terminalWidth(process.stderr) - 1)}`);
    this.#written = true;
  }

  end(): void {
    if (this.#written) process.stderr.write('\n');
  }
}

/** Returns `[#####---------------]`; an empty bar for unknown progress. */
function progressBar(fraction = 0): string {
  const done = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_WIDTH);
  return `[${'#'.repeat(done)}${'-'.repeat(BAR_WIDTH - done)}]`;
}
