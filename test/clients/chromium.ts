import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';

const run = promisify(execFile);

/** The names of the Chromium command. */
const COMMANDS = ['chromium', 'chromium-browser', 'google-chrome'];

/** Returns the path of the installed Chromium; null if there is none. */
export async function findChromium(): Promise<string | null> {
  for (const command of COMMANDS) {
    try {
      const { stdout } = await run('which', [command]);
      return stdout.trim();
    } catch {
      // Try the next name.
    }
  }
  return null;
}

/** Starts Chromium without a window and with network access to loopback only. */
export function startChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    chromiumSandbox: false,
    args: [
      '--disable-background-networking',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
    ],
  });
}
