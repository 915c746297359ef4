import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Command, startPassthru } from '../cli/run.ts';
import { REQUEST_TIMEOUT } from './chaosDriver.ts';
import type { History } from './history.ts';

/** The lease of a reservation in milliseconds. */
export const LEASE = 2000;

/** The same for all replicas, and in the environment of each. */
const KEY = '5eC7e7'.padEnd(43, 'k');

const DRIVER = fileURLToPath(new URL('./chaosDriver.ts', import.meta.url));

/** A `passthru serve` that is killed, paused and restarted. Its address changes with each start. */
export class Replica {
  readonly name: string;
  readonly #store: string;
  readonly #history: History;
  /** The port of its receiver of events, the same after each start. */
  readonly eventsPort: number;
  /** How BMCs reach the receivers. */
  eventsUrl = '';
  #command: Command | null = null;
  #url: string | null = null;
  #paused = false;
  /** The number of times that the process ended by itself. */
  crashes = 0;

  /** @param store the URL of its database */
  constructor(name: string, store: string, eventsPort: number, history: History) {
    this.name = name;
    this.eventsPort = eventsPort;
    this.#store = store;
    this.#history = history;
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

  /** Ends the process; resolves when it has exited. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const command = this.#command;
    if (command === null) return;
    this.#command = null;
    this.#url = null;
    this.#history.add(null, `${this.name} received ${signal}`);
    const exited = command.process.exitCode === null ? once(command.process, 'exit') : null;
    command.process.kill(signal);
    if (this.#paused) this.resume();
    await exited;
  }

  pause(): void {
    this.#paused = true;
    this.#history.add(null, `${this.name} paused`);
    this.#command?.process.kill('SIGSTOP');
  }

  resume(): void {
    this.#paused = false;
    this.#history.add(null, `${this.name} resumed`);
    this.#command?.process.kill('SIGCONT');
  }
}
