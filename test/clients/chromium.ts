import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';

const run = promisify(execFile);

/** What Chromium is called where it is installed. */
const COMMANDS = ['chromium', 'chromium-browser', 'google-chrome'];

/** The command that starts the Chromium of this machine; null when there is none. */
export async function findChromium(): Promise<string | null> {
  for (const command of COMMANDS) {
    try {
      const { stdout } = await run('which', [command]);
      return stdout.trim();
    } catch {
      // Not by this name.
    }
  }
  return null;
}

/** Starts it without a window, and without a way to anything but this machine. */
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
