import { constants, openSync, writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';
import { terminalLine } from './terminalLine.ts';

/** The interval of attempts while the reader is slow, in ms. */
const RETRY_INTERVAL = 20;
/** The interval of attempts to report dropped lines while nothing can be written, in ms. */
const REPORT_INTERVAL = 1000;
/** The maximum length of the lines that wait for the reader, in characters; further ones are dropped and counted. */
const MAX_WAITING = 16 * 1024 * 1024;
/** The length from which on no further line is written in the same system call, in characters. */
const MAX_BATCH = 64 * 1024;
const TOO_SLOW = 'log lines dropped, the reader of standard error is too slow';
const UNWRITABLE = 'log lines dropped, standard error could not be written';
/** How long `flush` waits for the reader, in ms. */
const FLUSH_TIMEOUT = 5000;

/** Numbers of dropped lines. */
export interface DroppedLines {
  log: number;
  audit: number;
}

/** A line that reports dropped ones. */
interface Report {
  dropped: DroppedLines;
  text: string;
}

/** What is being written. */
interface Batch {
  entries: readonly (string | Report)[];
  bytes: Buffer;
  written: number;
}

/**
 * The destination of the log. Writes once per turn of the event loop and does not block: while the reader of a pipe is
 * slow, a bounded number of lines waits in memory. What cannot be written, because the disk is full or the reader gone, is
 * dropped; it is counted, and reported when lines can be written again. At exit the waiting lines are written; pino's own
 * destination loses those that its thread has not written, and never ends the process on a full disk.
 */
export class StandardError implements DestinationStream {
  readonly #fd: number;
  readonly #format: (line: string) => string;
  #entries: (string | Report)[] = [];
  /** The length of `#entries`. */
  #waiting = 0;
  #batch: Batch | null = null;
  /** Whether the last written line lacks its end. */
  #torn = false;
  #scheduled = false;
  #reporting: NodeJS.Timeout | undefined;
  readonly #total: DroppedLines = { log: 0, audit: 0 };
  /** Those that no report has told yet. */
  #unreported: DroppedLines = { log: 0, audit: 0 };
  /** The code of the error that dropped the last ones; null when the reader was too slow. */
  #cause: string | null = null;

  constructor() {
    // Also makes Node set a pipe to non-blocking.
    const isTerminal = process.stderr.isTTY === true;
    this.#format = isTerminal ? terminalLine : (line) => line;
    this.#fd = isTerminal ? openTerminal() : 2;
    process.once('exit', () => this.flush());
  }

  /** The lines dropped since the start. */
  get dropped(): Readonly<DroppedLines> {
    return this.#total;
  }

  write(line: string): void {
    if (this.#waiting >= MAX_WAITING) {
      this.#cause = null;
      this.#drop(line);
      return;
    }
    this.#report();
    this.#entries.push(line);
    this.#waiting += line.length;
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#retry());
  }

  /** Writes all lines before it returns, unless the reader takes longer than five seconds. */
  flush(): void {
    const end = performance.now() + FLUSH_TIMEOUT;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    while (!this.#send() && performance.now() < end) Atomics.wait(pause, 0, 0, RETRY_INTERVAL);
  }

  #retry(): void {
    this.#scheduled = !this.#send();
    if (this.#scheduled) setTimeout(() => this.#retry(), RETRY_INTERVAL).unref();
  }

  /** Writes what the reader takes now. Returns whether nothing is left. */
  #send(): boolean {
    for (;;) {
      if (this.#entries.length === 0) this.#report();
      this.#batch ??= this.#take();
      if (this.#batch === null) return true;
      const { bytes, written } = this.#batch;
      try {
        this.#batch.written += writeSync(this.#fd, bytes, written);
      } catch (error) {
        const { code = 'unknown' } = error as NodeJS.ErrnoException;
        if (code === 'EAGAIN') return false;
        this.#lose(code);
        return true;
      }
      if (this.#batch.written < bytes.length) continue;
      this.#batch = null;
      this.#torn = false;
    }
  }

  /** Returns the next lines to write; null when there is none. */
  #take(): Batch | null {
    let length = 0;
    const end = this.#entries.findIndex((entry) => {
      length += textOf(entry).length;
      return length >= MAX_BATCH;
    });
    const entries = this.#entries.splice(0, end === -1 ? this.#entries.length : end + 1);
    if (entries.length === 0) return null;
    this.#waiting -= length;
    const text = entries.map((entry) => this.#format(textOf(entry))).join('');
    return { entries, bytes: Buffer.from(this.#torn ? `\n${text}` : text), written: 0 };
  }

  /** Adds a line about the dropped ones, if there are any. */
  #report(): void {
    const { log, audit } = this.#unreported;
    if (log + audit === 0) return;
    const text = `${JSON.stringify({
      level: 'warn',
      time: new Date().toISOString(),
      lines: log + audit,
      audit_records: audit,
      ...(this.#cause === null ? {} : { code: this.#cause }),
      msg: this.#cause === null ? TOO_SLOW : UNWRITABLE,
    })}\n`;
    this.#entries.push({ dropped: this.#unreported, text });
    this.#waiting += text.length;
    this.#unreported = { log: 0, audit: 0 };
  }

  /** Drops what waits, since the error `code` would repeat for each line, and tries again later to report it. */
  #lose(code: string): void {
    this.#cause = code;
    if (this.#batch !== null) {
      const { entries, written } = this.#batch;
      let end = this.#torn ? 1 : 0;
      // Empty when nothing of the batch was written.
      if (written > 0) this.#torn = false;
      for (const entry of entries) {
        const begin = end;
        end += Buffer.byteLength(this.#format(textOf(entry)));
        if (end <= written) continue;
        this.#drop(entry);
        if (begin < written) this.#torn = true;
      }
    }
    for (const entry of this.#entries) this.#drop(entry);
    this.#batch = null;
    this.#entries = [];
    this.#waiting = 0;
    this.#reporting ??= setTimeout(() => {
      this.#reporting = undefined;
      if (!this.#scheduled) this.#retry();
    }, REPORT_INTERVAL).unref();
  }

  #drop(entry: string | Report): void {
    if (typeof entry === 'string') {
      const kind = entry.endsWith('"msg":"audit"}\n') ? 'audit' : 'log';
      this.#total[kind] += 1;
      this.#unreported[kind] += 1;
    } else {
      this.#unreported.log += entry.dropped.log;
      this.#unreported.audit += entry.dropped.audit;
    }
  }
}

function textOf(entry: string | Report): string {
  return typeof entry === 'string' ? entry : entry.text;
}

/**
 * Opens the terminal of standard error again, so that writing does not wait: Node writes to terminals blocking, and Ctrl-S
 * would stop the service. Elsewhere than on Linux opening it would be a duplicate.
 */
function openTerminal(): number {
  if (process.platform !== 'linux') return 2;
  try {
    return openSync('/proc/self/fd/2', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return 2;
  }
}
