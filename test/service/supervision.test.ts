import { existsSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { needs } from '../needs.ts';
import { endLaunched, launch } from './launched.ts';

// npm, a shell and the service are slow to start on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

afterEach(endLaunched);

const IRONIC = { 'X-OpenStack-Ironic-API-Version': '1.78', 'Content-Type': 'application/json' };

/** Starts a job that lasts for `seconds`; `bench` has a method that holds its node until it is told to go on. */
async function startJob(url: string): Promise<void> {
  const post = (path: string, body: object) =>
    fetch(url + path, { method: 'POST', headers: IRONIC, body: JSON.stringify(body) });
  expect((await post('/v1/nodes', { name: 'b', driver: 'bench' })).status).toBe(201);
  expect((await post('/v1/nodes/b/vendor_passthru/hold', { word: 'never' })).status).toBe(202);
}

const stopped = /"msg":"stopped"/;

/** The ways that put the service below npm; npx and a user's own script put a shell between them. */
const WAYS: readonly (readonly [name: string, command: string, args: readonly string[]])[] = [
  ['npm start', 'npm', ['start', '--silent']],
  ['a script with a shell in between', 'npm', ['run', '--silent', 'passthru', '--', 'serve']],
  ['npm exec', 'npm', ['exec', '-c', 'node src/main.js serve; true']],
];

describe.each(WAYS)('%s', (name, command, args) => {
  test('stops the service when npm gets SIGTERM, and leaves nothing behind', async () => {
    const launched = await launch(command, args);
    process.kill(launched.pid, 'SIGTERM');
    await launched.allEnded;
    expect(launched.output()).toMatch(stopped);
  });

  test('stops the service when npm is killed, and leaves nothing behind', needs(noProcFs()), async () => {
    const launched = await launch(command, args);
    process.kill(launched.pid, 'SIGKILL');
    await launched.allEnded;
    expect(launched.output()).toMatch(stopped);
  });

  test('lets running jobs end after Ctrl-C, which npm and the service both get', async () => {
    const launched = await launch(command, args, { PASSTHRU_SHUTDOWN_GRACE: '2s' });
    await startJob(launched.url);
    process.kill(-launched.pid, 'SIGINT');
    await launched.allEnded;
    expect(launched.output()).toMatch(/"jobs":1,"msg":"shutting down"/);
    // Not killed at once: it aborted the job after the grace period and said so.
    expect(launched.output()).toMatch(stopped);
  });

  test(`${name} ends at once at a second Ctrl-C later`, async () => {
    const launched = await launch(command, args, { PASSTHRU_SHUTDOWN_GRACE: '1h' });
    await startJob(launched.url);
    process.kill(-launched.pid, 'SIGINT');
    await vi.waitFor(() => expect(launched.output()).toMatch(/"msg":"shutting down"/), 10_000);
    const again = setInterval(() => process.kill(-launched.pid, 'SIGINT'), 300);
    await launched.allEnded.finally(() => clearInterval(again));
    expect(launched.output()).not.toMatch(stopped);
  });
});

test('npm start ends after the service, so that a supervisor can start it again', async () => {
  const launched = await launch('npm', ['start', '--silent'], { PASSTHRU_SHUTDOWN_GRACE: '2s' });
  await startJob(launched.url);
  process.kill(launched.pid, 'SIGTERM');
  expect(await launched.exited).toBe(0);
  await expect(fetch(launched.url)).rejects.toThrow();
});

test('a shell without npm that ends leaves the service running, as nohup and & intend', async () => {
  const launched = await launch('sh', ['-c', 'node_modules/.bin/node src/main.js serve & wait']);
  process.kill(launched.pid, 'SIGKILL');
  await launched.exited;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect((await fetch(`${launched.url}/healthz`)).status).toBe(200);
});

function noProcFs(): string | null {
  return existsSync('/proc/self/stat') && readFileSync('/proc/self/environ').length > 0 ? null : 'Linux, with /proc';
}
