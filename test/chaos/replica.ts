import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Command, startPassthru } from '../cli/run.ts';
import { isAlive, workersOf } from '../service/workerProcesses.ts';
import { REQUEST_TIMEOUT } from './chaosDriver.ts';
import type { History } from './history.ts';
import type { Random } from './random.ts';

/** The lease of a reservation in milliseconds. */
export const LEASE = 2000;

/** The same for all replicas, and in the environment of each. */
const KEY = '5eC7e7'.padEnd(43, 'k');

const DRIVER = fileURLToPath(new URL('./chaosDriver.ts', import.meta.url));

/** The time in which the workers of a killed process have to stop, in milliseconds: they finish what they can. */
const STOP_TIMEOUT = 30_000;

/**
 * A `passthru serve` that is killed, paused and restarted, with its workers if it has several. Its address changes with each
 * start.
 */
export class Replica {
  readonly name: string;
  /** The number of its processes. */
  readonly workers: number;
  readonly #store: string;
  readonly #history: History;
  /** The port of its receiver of events, the same after each start. */
  readonly eventsPort: number;
  /** How BMCs reach the receivers. */
  eventsUrl = '';
  #command: Command | null = null;
  #url: string | null = null;
  /** The paused process. */
  #paused: number | null = null;
  /** The number of times that the process ended by itself. */
  crashes = 0;
  /** The number of workers that stayed when their first process had ended. */
  orphans = 0;

  /** @param store the URL of its database */
  constructor(name: string, store: string, eventsPort: number, history: History, workers = 1) {
    this.name = name;
    this.eventsPort = eventsPort;
    this.#store = store;
    this.#history = history;
    this.workers = workers;
  }

  /** Null while it does not listen. */
  get url(): string | null {
    return this.#url;
  }

  /** Resolves when it listens. Rejects when it ends before, for example while the database is down. */
  async start(): Promise<void> {
    const command = startPassthru(['serve'], {
      PASSTHRU_LISTEN: '127.0.0.1:0',
      PASSTHRU_STORE: this.#store,
      PASSTHRU_EVENTS_LISTEN: `127.0.0.1:${this.eventsPort}`,
      PASSTHRU_EVENTS_URL: this.eventsUrl,
      PASSTHRU_EVENTS_VERIFY_INTERVAL: '3s',
      PASSTHRU_EVENTS_VERIFY_SENDER: 'off',
      PASSTHRU_WORKERS: String(this.workers),
      PASSTHRU_SECRETS_ENCRYPTION_KEYS: KEY,
      PASSTHRU_HOST: this.name,
      PASSTHRU_LOG_LEVEL: 'error',
      PASSTHRU_DRIVERS: DRIVER,
      PASSTHRU_NODE_LOCK_LEASE: `${LEASE}ms`,
      PASSTHRU_NODE_LOCKED_RETRY_INTERVAL: '500ms',
      PASSTHRU_SHUTDOWN_GRACE: '500ms',
      PASSTHRU_REDFISH_AUTH_TYPE: 'basic',
      PASSTHRU_REDFISH_CONNECTION_ATTEMPTS: '2',
      PASSTHRU_REDFISH_CONNECTION_RETRY_INTERVAL: '100ms',
      PASSTHRU_REDFISH_REQUEST_TIMEOUT: `${REQUEST_TIMEOUT}ms`,
      PASSTHRU_REDFISH_FENCE_HEADER: 'on',
    });
    this.#command = command;
    const [, url] = await command.printed(/^listening on (http:\/\/\S+)$/m);
    this.#url = url as string;
    this.#history.add(null, `${this.name} listening`);
    void command.ended.then(({ stderr }) => {
      if (this.#command !== command) return;
      this.crashes++;
      this.#url = null;
      this.#history.add(null, `${this.name} crashed:\n${stderr.slice(-2000)}`);
    });
  }

  /** Starts it, and retries until it listens. */
  async restart(): Promise<void> {
    for (;;) {
      try {
        return await this.start();
      } catch {
        this.#history.add(null, `${this.name} failed to start, retrying`);
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
    }
  }

  /** Ends the process, with its workers; resolves when they have exited. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const command = this.#command;
    if (command === null) return;
    const workers = this.#processes();
    this.#command = null;
    this.#url = null;
    this.#history.add(null, `${this.name} received ${signal}`);
    const exited = command.process.exitCode === null ? once(command.process, 'exit') : null;
    command.process.kill(signal);
    if (this.#paused !== null) this.resume();
    await exited;
    await this.#awaitEnd(workers);
  }

  /** Kills one of its workers, which it starts again. Returns false when it has none now. */
  killWorker(random: Random): boolean {
    const workers = this.#processes();
    if (workers.length === 0) return false;
    const pid = random.pick(workers);
    this.#history.add(null, `worker ${pid} of ${this.name} received SIGKILL`);
    signal(pid, 'SIGKILL');
    return true;
  }

  /** Pauses the process, or one of its workers. */
  pause(random: Random): void {
    const pid = this.#command?.process.pid;
    if (pid === undefined) return;
    this.#paused = random.pick([pid, ...this.#processes()]);
    this.#history.add(null, `process ${this.#paused} of ${this.name} paused`);
    signal(this.#paused, 'SIGSTOP');
  }

  resume(): void {
    if (this.#paused === null) return;
    this.#history.add(null, `process ${this.#paused} of ${this.name} resumed`);
    signal(this.#paused, 'SIGCONT');
    this.#paused = null;
  }

  /** Returns the process ids of its workers; none when it is a single process. */
  #processes(): number[] {
    const pid = this.#command?.process.pid;
    return this.workers === 1 || pid === undefined ? [] : workersOf(pid);
  }

  async #awaitEnd(workers: readonly number[]): Promise<void> {
    const end = performance.now() + STOP_TIMEOUT;
    while (workers.some(isAlive) && performance.now() < end) await sleep(50);
    const left = workers.filter(isAlive);
    this.orphans += left.length;
    for (const pid of left) signal(pid, 'SIGKILL');
  }
}

/** Sends `name` to a process that may have ended. */
function signal(pid: number, name: NodeJS.Signals): void {
  if (isAlive(pid)) process.kill(pid, name);
}
