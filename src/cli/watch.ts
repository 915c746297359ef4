import { setTimeout as delay } from 'node:timers/promises';
import type { Job } from '../../gen/passthru/v1/job_pb.ts';
import { visible } from '../process/terminalText.ts';
import type { Connection } from './connection.ts';
import { CommandFailure, EXIT_STATUS } from './exitStatus.ts';
import { isBroken } from './failure.ts';
import { endTime, hasEnded, jobLine, jobTarget } from './jobRecord.ts';
import { cutToWidth, terminalWidth } from './print/textWidth.ts';

/** How long to retry a lost connection, in ms. */
const RETRY_TIMEOUT = 60_000;

/** The time between two attempts to resume a broken stream, in ms. */
const RETRY_INTERVAL = 1000;

/**
 * Follows a job until it ends, and returns it. Prints its id, then its changes to standard error: one line each, or one
 * redrawn line on a terminal. A broken stream is resumed where it broke, which standard error says too.
 * @param known the latest known state of the job
 * @throws CommandFailure on Ctrl-C and after `--timeout`, which leave the job running, and when the service does not return;
 *   the error of WatchJob when it is permanent
 */
export async function watchJob({ passthru, timeout }: Connection, id: string, known?: Job): Promise<Job> {
  const stop = new AbortController();
  const interrupt = () => stop.abort(stoppedWatching(EXIT_STATUS.interrupted, 'stopped watching', id));
  process.once('SIGINT', interrupt);
  const seconds = (timeout ?? 0) / 1000;
  const timer = setTimeout(
    () => stop.abort(stoppedWatching(EXIT_STATUS.timedOut, `the job did not end within ${seconds} s (--timeout)`, id)),
    timeout ?? 2 ** 31 - 1,
  );
  const line = new StatusLine();
  let last = known;
  let lostAt: number | null = null;
  try {
    if (last !== undefined) line.show(last);
    while (last === undefined || !hasEnded(last)) {
      try {
        const request = { jobId: id, afterRevision: last?.revision };
        // The deadline of a call would begin again with each attempt.
        for await (const { job } of passthru.watchJob(request, { signal: stop.signal, timeoutMs: 0 })) {
          if (lostAt !== null) line.note('connected again');
          lostAt = null;
          if (job === undefined) continue;
          last = job;
          line.show(job);
        }
      } catch (error) {
        if (stop.signal.aborted) throw stop.signal.reason;
        // Without any response so far, the service was not there to begin with.
        if (!isBroken(error) || last === undefined) throw error;
        if (lostAt === null) line.note('connection lost, reconnecting');
        lostAt ??= performance.now();
        if (performance.now() - lostAt > RETRY_TIMEOUT) {
          const why = `the service did not return within ${RETRY_TIMEOUT / 1000} s`;
          throw stoppedWatching(EXIT_STATUS.unreachable, why, id, 'may still be running');
        }
      }
      if (last !== undefined && hasEnded(last)) return last;
      await delay(RETRY_INTERVAL, undefined, { signal: stop.signal }).catch(() => {
        throw stop.signal.reason;
      });
    }
    return last;
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', interrupt);
    line.end();
  }
}

function stoppedWatching(status: number, why: string, id: string, state = 'is still running'): CommandFailure {
  return new CommandFailure(
    status,
    `${why}; the job ${state}.\n  Follow it:  passthru job watch ${id}\n  Stop it:    passthru job cancel ${id}`,
  );
}

/** The number of characters between the brackets. */
const BAR_WIDTH = 20;

/** Prints the id and the changes of a job. */
class StatusLine {
  #begun = false;
  /** Whether the cursor is behind a bar. */
  #drawn = false;

  show(job: Job): void {
    // Whoever loses the connection, or interrupts, needs the id.
    if (!this.#begun) process.stderr.write(`${visible(`job ${job.id}: ${job.method} on ${jobTarget(job)}`)}\n`);
    this.#begun = true;
    const text = visible(jobLine(job)).replaceAll(/\s/g, ' ');
    if (!process.stderr.isTTY) {
      process.stderr.write(`${(endTime(job) ?? new Date()).toISOString()} ${text}\n`);
      return;
    }
    const line = hasEnded(job) ? text : `${progressBar(job.progress?.fraction)} ${text}`;
    // Return to the first column and clear the line.
    process.stderr.write(`\r\x1b[K${cutToWidth(line, terminalWidth(process.stderr) - 1)}`);
    this.#drawn = true;
  }

  /** Prints a line below the bar. */
  note(text: string): void {
    this.end();
    process.stderr.write(process.stderr.isTTY ? `${text}\n` : `${new Date().toISOString()} ${text}\n`);
  }

  /** Leaves the line of the bar. */
  end(): void {
    if (this.#drawn) process.stderr.write('\n');
    this.#drawn = false;
  }
}

/** Returns `[#####---------------]`; an empty bar for unknown progress. */
function progressBar(fraction = 0): string {
  const done = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_WIDTH);
  return `[${'#'.repeat(done)}${'-'.repeat(BAR_WIDTH - done)}]`;
}
