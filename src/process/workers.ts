import cluster from 'node:cluster';
import type { Logger } from '../core/logger.ts';
import type { LineTarget } from './wholeLines.ts';
import type { ToPrimary, WorkerReport } from './workerMessages.ts';
import { WorkerSlot } from './workerSlot.ts';

/** How long the reports of all workers are waited for, in ms: longer than a database that hangs keeps them. */
const REPORT_WAIT = 7000;
/** How long workers that are to end at once have for that, in ms. */
const END_WAIT = 1000;

export interface WorkersOptions {
  count: number;
  /** What each worker is given at its start; JSON. */
  settings: unknown;
  log: Logger;
  /** Receives what the workers write to standard error. */
  output: LineTarget;
  /** Returns the numbers of log lines that this process dropped, for the metrics. */
  dropped(): Record<string, number>;
}

/** The processes that share the addresses of the service. */
export interface Workers {
  /** The URL of the service. */
  url: string;
  /** Lets all stop in order. Resolves when they have ended, with 0, or the status of one that failed. */
  stop(): Promise<number>;
  /** Has workers that are stopping end at once. */
  end(): void;
}

/**
 * Starts `count` workers: processes that run the command line of this one, and listen through it, which passes them connections in
 * turn. One that ends is started again.
 * @throws kind `failed_precondition` when one cannot start; none is left then
 */
export async function startWorkers(options: WorkersOptions): Promise<Workers> {
  const { count, settings, log, output, dropped } = options;
  cluster.setupPrimary({ stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
  const reports = new Map<number, ReportRound>();
  let rounds = 0;
  const received = (slot: WorkerSlot, message: ToPrimary) => {
    if (message.kind === 'report') reports.get(message.id)?.add({ worker: slot.number, content: message.content });
    if (message.kind !== 'reports') return;
    const id = rounds++;
    const asked = slots.filter((each) => each.send({ kind: 'report', id, topic: message.topic })).length;
    const round = new ReportRound(asked, (given) => {
      reports.delete(id);
      slot.send({ kind: 'reports', id: message.id, reports: given, dropped: dropped() });
    });
    reports.set(id, round);
  };
  const slots = Array.from({ length: count }, (_, index) => {
    return new WorkerSlot(index + 1, { settings, log, output, received });
  });
  const stop = async () => {
    const statuses = await Promise.all(slots.map((slot) => slot.stop()));
    return statuses.find((status) => status !== 0) ?? 0;
  };
  try {
    const [first, ...others] = slots;
    // What keeps all from starting is then reported once.
    const url = await first!.start();
    await Promise.all(others.map((slot) => slot.start()));
    return {
      url,
      stop,
      end() {
        for (const slot of slots) slot.end(END_WAIT);
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Collects the reports of all workers, without those that do not answer in time. */
class ReportRound {
  readonly #reports: WorkerReport[] = [];
  readonly #expected: number;
  readonly #done: (reports: WorkerReport[]) => void;
  readonly #timer: NodeJS.Timeout;

  constructor(expected: number, done: (reports: WorkerReport[]) => void) {
    this.#expected = expected;
    this.#done = done;
    this.#timer = setTimeout(() => done(this.#reports), REPORT_WAIT);
  }

  add(report: WorkerReport): void {
    this.#reports.push(report);
    if (this.#reports.length < this.#expected) return;
    clearTimeout(this.#timer);
    this.#done(this.#reports);
  }
}
