import cluster from 'node:cluster';
import type { ToPrimary, Topic, ToWorker, WorkerReport } from './workerMessages.ts';

/** How long the primary has to answer, in ms: longer than it waits for the workers. */
const ANSWER_WAIT = 9000;

/** The reports of all workers. */
export interface AllReports {
  reports: readonly WorkerReport[];
  /** The numbers of log lines that the primary dropped, by kind. */
  dropped: Readonly<Record<string, number>>;
}

/** The primary process, as a worker sees it. */
export interface Primary<T> {
  /** The number of this worker, from 1. */
  number: number;
  settings: T;
  ready(url: string): void;
  /** Tells why this worker cannot start. Resolves when it has been sent. */
  failed(message: string): Promise<void>;
  /** Has `report` called for what this worker reports of `topic`. */
  onReport(topic: Topic, report: () => Promise<unknown>): void;
  /** Returns the reports of all workers. Rejects when the primary does not answer. */
  collectReports(topic: Topic): Promise<AllReports>;
}

/** Whether this process is a worker. */
export function isWorker(): boolean {
  return cluster.isWorker;
}

/**
 * Joins the primary process that started this one.
 * @param stop called once when the worker is to stop in order: at the primary's word, when the primary has ended, and on a signal,
 *   which a terminal or a supervisor sends to both. When the primary ends after that, the process ends at once.
 */
export async function joinPrimary<T>(stop: () => void): Promise<Primary<T>> {
  const worker = cluster.worker!;
  let stopping = false;
  const begin = () => {
    if (stopping) return;
    stopping = true;
    stop();
  };
  process.on('SIGTERM', begin).on('SIGINT', begin);
  worker.once('disconnect', () => {
    // Node ends a process that did not disconnect by itself.
    worker.exitedAfterDisconnect = !stopping;
    begin();
  });
  const given = new Map<Topic, () => Promise<unknown>>();
  const answers = new Map<number, (reports: AllReports) => void>();
  let requests = 0;
  const send = (message: ToPrimary) => worker.isConnected() && worker.send(message);
  const started = Promise.withResolvers<Extract<ToWorker, { kind: 'start' }>>();
  process.on('message', async (message: ToWorker) => {
    if (message.kind === 'start') started.resolve(message);
    if (message.kind === 'stop') begin();
    if (message.kind === 'report') {
      const report = given.get(message.topic);
      if (report !== undefined) send({ kind: 'report', id: message.id, content: await report() });
    }
    if (message.kind === 'reports') answers.get(message.id)?.(message);
  });
  const { number, settings } = await started.promise;
  return {
    number,
    settings: settings as T,
    ready: (url) => void send({ kind: 'ready', url }),
    failed(message) {
      return new Promise((resolve) => {
        if (!worker.isConnected()) resolve();
        else worker.process.send!({ kind: 'failed', message } satisfies ToPrimary, () => resolve());
      });
    },
    onReport(topic, report) {
      given.set(topic, report);
    },
    collectReports(topic) {
      const id = requests++;
      const { promise, resolve, reject } = Promise.withResolvers<AllReports>();
      const timer = setTimeout(() => reject(new Error('the primary process does not answer')), ANSWER_WAIT);
      answers.set(id, resolve);
      send({ kind: 'reports', id, topic });
      return promise.finally(() => {
        clearTimeout(timer);
        answers.delete(id);
      });
    },
  };
}
