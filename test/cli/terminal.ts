import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

/** Runs a program on a terminal of its own, and hands on what is typed and shown. */
const PTY = `import fcntl, os, pty, struct, sys, termios
width, *words = sys.argv[1:]
child, terminal = pty.fork()
if child == 0:
    # Before the program starts, and looks.
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 40, int(width), 0, 0))
    os.execvp(words[0], words)
pty._copy(terminal, pty._read, pty._read)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))`;

/** Whether a program can be given a terminal here. */
export const hasTerminal = spawnSync('python3', ['-c', 'import pty']).status === 0;

/**
 * Runs `passthru ARGS` on a terminal.
 * @param typed what is typed when a pattern has been shown, each in turn
 * @param width the terminal's, in characters
 */
export async function onTerminal(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  typed: readonly [shown: RegExp, text: string | (() => void)][] = [],
  width = 300,
): Promise<{ status: number | null; shown: string }> {
  const child = spawn('python3', ['-c', PTY, String(width), process.execPath, MAIN, ...args], {
    env: { ...process.env, XDG_CONFIG_HOME: '/nonexistent', ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  const waiting = [...typed];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    while (waiting[0]?.[0].test(shown)) {
      const [, next] = waiting.shift()!;
      if (typeof next === 'string') child.stdin.write(next);
      else next();
    }
  });
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, shown };
}
