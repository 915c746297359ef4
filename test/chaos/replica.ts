import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Command, startPassthru } from '../cli/run.ts';
import { REQUEST_TIMEOUT } from './chaosDriver.ts';
import type { History } from './history.ts';

/** Milliseconds. */
export const LEASE = 2000;

const DRIVER = fileURLToPath(new URL('./chaosDriver.ts', import.meta.url));

/** One `passthru serve`, which is killed, stopped and started again. Its address is another after each start. */
export class Replica {
  readonly name: string;
  readonly #store: string;
  readonly #history: History;
  #command: Command | null = null;
  #url: string | null = null;
  #stopped = false;
  /** Ends of the process that nobody asked for. */
  crashes = 0;

  /** @param store the URL of its database */
  constructor(name: string, store: string, history: History) {
    this.name = name;
    this.#store = store;
    this.#history = history;
  }

  /** Null while it does not listen. */
  get url(): string | null {
    return this.#url;
  }

  /** Resolves when it listens. Rejects when it ends before, as it does while the database is down. */
  async start(): Promise<void> {
    const command = startPassthru(['serve'], {
      PASSTHRU_LISTEN: '127.0.0.1:0',
      PASSTHRU_STORE: this.#store,
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
    this.#history.note(null, `${this.name} listens`);
    void command.ended.then(({ stderr }) => {
      if (this.#command !== command) return;
      this.crashes++;
      this.#url = null;
      this.#history.note(null, `${this.name} has ended by itself:\n${stderr.slice(-2000)}`);
    });
  }

  /** Starts it, again and again until it listens. */
  async startAgain(): Promise<void> {
    for (;;) {
      try {
        return await this.start();
      } catch {
        this.#history.note(null, `${this.name} does not start; trying again`);
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
    }
  }

  /** Ends it by `signal`; resolves when it is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const command = this.#command;
    if (command === null) return;
    this.#command = null;
    this.#url = null;
    this.#history.note(null, `${this.name} gets ${signal}`);
    const exited = command.process.exitCode === null ? once(command.process, 'exit') : null;
    command.process.kill(signal);
    if (this.#stopped) this.resume();
    await exited;
  }

  pause(): void {
    this.#stopped = true;
    this.#history.note(null, `${this.name} is stopped`);
    this.#command?.process.kill('SIGSTOP');
  }

  resume(): void {
    this.#stopped = false;
    this.#history.note(null, `${this.name} goes on`);
    this.#command?.process.kill('SIGCONT');
  }
}
