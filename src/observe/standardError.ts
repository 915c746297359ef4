import { writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

/** The interval of attempts while the reader is slow, in ms. */
const RETRY_INTERVAL = 20;
/** The maximum length of the lines that wait for the reader, in characters; further ones are dropped and counted. */
const MAX_WAITING = 16 * 1024 * 1024;
const TOO_SLOW = 'log lines dropped, the reader of standard error is too slow';
/** How long `flush` waits for the reader, in ms. */
const FLUSH_TIMEOUT = 5000;

/**
 * The destination of the log. Writes once per turn of the event loop and does not block: while the reader of a pipe is
 * slow, a bounded number of lines waits in memory. At exit they are written; pino's own destination loses those that its
 * thread has not written.
 */
export class StandardError implements DestinationStream {
  #lines: string[] = [];
  /** The length of `#lines`. */
  #waiting = 0;
  #dropped = 0;
  #unwritten = Buffer.alloc(0);
  #scheduled = false;

  constructor() {
    process.once('exit', () => this.flush());
  }

  write(line: string): void {
    if (this.#waiting >= MAX_WAITING) {
      this.#dropped++;
      return;
    }
    this.#lines.push(line);
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
    try {
      for (;;) {
        if (this.#unwritten.length === 0) {
          if (this.#lines.length === 0) return true;
          this.#unwritten = Buffer.from(this.#take());
        }
        this.#unwritten = this.#unwritten.subarray(writeSync(2, this.#unwritten));
      }
    } catch (error) {
      // The reader is slow (Node has made pipes non-blocking). Otherwise it is gone, or the disk full.
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
      this.#unwritten = Buffer.alloc(0);
      return true;
    }
  }

  #take(): string {
    const lines = this.#lines.splice(0).join('');
    this.#waiting = 0;
    if (this.#dropped === 0) return lines;
    const report = { level: 'warn', time: new Date().toISOString(), lines: this.#dropped, msg: TOO_SLOW };
    this.#dropped = 0;
    return `${lines}${JSON.stringify(report)}\n`;
  }
}
