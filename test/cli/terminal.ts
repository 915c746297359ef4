import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

/** Runs a program on a new pseudo-terminal, and passes its input and output through. */
const PTY = `import fcntl, os, pty, struct, sys, termios
width, *words = sys.argv[1:]
child, terminal = pty.fork()
if child == 0:
    # Before the program starts, since it reads the size then.
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 40, int(width), 0, 0))
    os.execvp(words[0], words)
pty._copy(terminal, pty._read, pty._read)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))`;

/** Whether pseudo-terminals are available. */
export const hasTerminal = spawnSync('python3', ['-c', 'import pty']).status === 0;

/** A program on a terminal. */
export interface Terminal {
  type(text: string): void;
  /** Resolves with the next match of `pattern` in the output; rejects when the program ends first. */
  shows(pattern: RegExp): Promise<RegExpExecArray>;
  /** The whole output and the exit status of the program; status null when a signal ended it. */
  ended: Promise<{ status: number | null; shown: string }>;
  /** Hangs up, which ends a shell. */
  close(): void;
}

/** @param width the terminal's, in characters */
export function openTerminal(words: readonly string[], environment: NodeJS.ProcessEnv, width = 300): Terminal {
  const child = spawn('python3', ['-c', PTY, String(width), ...words], {
    env: { ...process.env, XDG_CONFIG_HOME: '/nonexistent', ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  let seen = 0;
  const waiting = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    // fish queries the terminal's type and cursor position, and waits for the replies.
    if (text.includes('\x1b[c') || text.includes('\x1b[0c')) child.stdin.write('\x1b[?62;c');
    if (text.includes('\x1b[6n')) child.stdin.write('\x1b[1;1R');
    for (const look of waiting) look();
  });
  const ended = new Promise<{ status: number | null; shown: string }>((resolve) => {
    child.on('close', (status) => resolve({ status, shown }));
  });
  return {
    type: (text) => child.stdin.write(text),
    shows: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(shown.slice(seen));
          if (match === null) return;
          seen += match.index + match[0].length;
          waiting.delete(look);
          resolve(match);
        };
        waiting.add(look);
        void ended.then(() =>
          reject(new Error(`ended without showing ${pattern}: ${JSON.stringify(shown.slice(seen))}`)),
        );
        look();
      }),
    ended,
    close: () => child.kill(),
  };
}

/**
 * Runs `passthru ARGS` on a terminal.
 * @param typed the input to type after each pattern has been shown
 */
export async function onTerminal(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  typed: readonly [shown: RegExp, text: string | (() => void)][] = [],
  width?: number,
): Promise<{ status: number | null; shown: string }> {
  const terminal = openTerminal([process.execPath, MAIN, ...args], environment, width);
  for (const [shown, text] of typed) {
    await terminal.shows(shown);
    if (typeof text === 'string') terminal.type(text);
    else text();
  }
  return terminal.ended;
}
