import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** A program of this folder in a process of its own, which answers questions. */
export class Child {
  readonly #process: ChildProcess;
  readonly #failed: Promise<never>;
  #asked = 0;

  private constructor(process: ChildProcess, script: string) {
    this.#process = process;
    this.#failed = once(process, 'exit').then(() => Promise.reject(new Error(`${script} has ended`)));
    this.#failed.catch(() => {});
  }

  /** Starts `script`, which calls `answer`. */
  static async start(script: string, environment: Record<string, string> = {}): Promise<Child> {
    const child = fork(new URL(script, import.meta.url), { env: { ...process.env, ...environment } });
    await once(child, 'message');
    return new Child(child, script);
  }

  async ask<T>(question: string, argument: object = {}): Promise<T> {
    const number = this.#asked++;
    const { promise, resolve } = Promise.withResolvers<T>();
    const take = (message: { number: number; value: unknown }) => {
      if (message.number !== number) return;
      this.#process.off('message', take);
      resolve(message.value as T);
    };
    this.#process.on('message', take);
    this.#process.send({ number, question, argument });
    return Promise.race([promise, this.#failed]);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await ended;
  }
}

/** In the process: answers questions by these functions. */
export function answer(answers: Record<string, (argument: never) => unknown>): void {
  process.on(
    'message',
    async ({ number, question, argument }: { number: number; question: string; argument: never }) => {
      process.send?.({ number, value: (await answers[question]!(argument)) ?? {} });
    },
  );
  process.once('disconnect', () => process.exit());
  process.send?.('ready');
}

/** Returns the processor time of this process so far, in microseconds. */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
