import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { visible } from '../../process/terminalText.ts';
import { CommandFailure, EXIT_STATUS } from '../exitStatus.ts';

/** Prompts without echo; null without a terminal or input. */
export function prompt(question: string): Promise<string | null> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return Promise.resolve(null);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  process.stderr.write(visible(question));
  return new Promise<string | null>((resolve, reject) => {
    reader.once('SIGINT', () => reject(new CommandFailure(EXIT_STATUS.interrupted, 'interrupted')));
    // Ctrl-D.
    reader.once('close', () => resolve(null));
    reader.question('', (answer) => resolve(answer === '' ? null : answer));
  }).finally(() => {
    reader.close();
    process.stderr.write('\n');
  });
}
