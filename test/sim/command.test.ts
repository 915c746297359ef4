import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { PROFILES } from '../../src/sim/profiles/named.ts';
import { excluding } from '../../src/sim/quirks/exclusive.ts';
import { QUIRKS, quirksNamed } from '../../src/sim/quirks/named.ts';
import { selfSigned } from './selfSigned.ts';

const sourceOf = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
const SCRIPT = `
  const { simCommand } = await import(${sourceOf('sim/command.ts')});
  const { visible } = await import(${sourceOf('process/terminalText.ts')});
  await simCommand(visible).parseAsync(process.argv.slice(1), { from: 'user' });`;

const running: ChildProcessWithoutNullStreams[] = [];
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
});

function sim(...args: string[]): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT, '--', ...args]);
  running.push(child);
  return child;
}

/** Returns the lines up to and including the one that matches. */
async function linesUntil(child: ChildProcessWithoutNullStreams, last: RegExp): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    lines.push(line);
    if (last.test(line)) return lines;
  }
  throw new Error(`it ended after:\n${lines.join('\n')}`);
}

async function ending(child: ChildProcessWithoutNullStreams) {
  const [out, err, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { out, err, status };
}

test.each(['SIGINT', 'SIGTERM'] as const)('prints its BMCs and how to enrol one, and stops at %s', async (signal) => {
  const child = sim('--port', '0', '--count', '2', '--control-port', '0', '--password', 'not-p');
  const lines = await linesUntil(child, /redfish_password/);
  const urls = lines.slice(0, 2).map((line, index) => {
    const [, url] = new RegExp(`^bmc ${index + 1} listening on (http://127\\.0\\.0\\.1:\\d+)$`).exec(line) ?? [];
    return url!;
  });
  expect(lines[2]).toMatch(/^control API on http:\/\/127\.0\.0\.1:\d+\/bmcs$/);
  expect(lines.join('\n')).toContain(`redfish_address=${urls[0]}`);
  expect(lines.join('\n')).toContain('redfish_system_id=/redfish/v1/Systems/437XR1138R2');
  expect(lines.join('\n')).not.toContain('not-p');
  const headers = { Authorization: `Basic ${btoa('u:not-p')}` };
  expect((await fetch(`${urls[1]}/redfish/v1/Systems`, { headers })).status).toBe(200);

  child.kill(signal);
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('serves a capture over HTTPS without credentials', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sim-'));
  const { key, cert } = selfSigned();
  const root = { '@odata.id': '/redfish/v1', Name: 'captured' };
  await writeFile(join(folder, 'capture.json'), JSON.stringify({ '/redfish/v1': root }));
  await writeFile(join(folder, 'key.pem'), key);
  await writeFile(join(folder, 'cert.pem'), cert);
  const file = (name: string) => join(folder, name);
  const tls = ['--tls-key', file('key.pem'), '--tls-cert', file('cert.pem')];
  const child = sim('--port', '0', '--capture', file('capture.json'), '--no-auth', ...tls);
  const lines = await linesUntil(child, /verify_ca/);
  await rm(folder, { recursive: true });
  expect(lines[0]).toMatch(/^bmc 1 listening on https:/);
  expect(lines.join('\n')).not.toMatch(/password|system_id/);
});

test('plays a transcript back, prints how to repeat the call and how it ended, and stops at SIGTERM', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sim-'));
  const file = join(folder, 'transcript.json');
  const exchange = {
    request: { method: 'GET', path: '/redfish/v1/EventService/Subscriptions/9', headers: {}, body: null },
    response: { status: 404, headers: {}, body: null },
    error: null,
    sent: true,
  };
  const transcript = {
    transcript: 1,
    id: '1',
    node_uuid: '22222222-2222-4222-8222-222222222222',
    driver: 'redfish',
    method: 'get_subscription',
    http_method: 'GET',
    arguments: { id: '9' },
    outcome: { state: 'failed', error: 'not\u001b[2J found' },
    start_time: '2026-11-29T14:15:25.357Z',
    end_time: '2026-11-29T14:15:25.367Z',
    context: {},
    exchanges: [exchange],
    omitted: 0,
  };
  await writeFile(file, JSON.stringify(transcript));
  const child = sim('--port', '0', '--transcript', file);
  const lines = await linesUntil(child, /It ended/);
  await rm(folder, { recursive: true });
  const [, url] = /^bmc 1 listening on (http:.*)$/.exec(lines[0]!) ?? [];
  expect(lines.join('\n')).toContain(`--driver-info redfish_address=${url} `);
  expect(lines.join('\n')).toMatch(/passthru node passthru call bmc-1 get_subscription \\\n +--arg id=9/);
  // What a terminal would obey is escaped.
  expect(lines.at(-1)).toBe('It ended: failed: not\\x1b[2J found');
  expect((await fetch(url! + exchange.request.path)).status).toBe(404);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test.each([
  ['--profile', 'plain'],
  ['--capture', 'c.json'],
  ['--quirk', 'pages'],
  ['--username', 'u'],
  ['--control-port', '0'],
])('--transcript excludes %s', async (...other) => {
  const { err, status } = await ending(sim('--transcript', 't.json', ...other));
  expect(status).toBe(1);
  expect(err).toContain(`cannot be used with option '${other[0]}`);
});

test('--list-profiles lists the profiles and exits', async () => {
  const { out, status } = await ending(sim('--list-profiles'));
  expect([out.split('\n').map((line) => line.split(' ')[0]), status]).toEqual([
    ['plain', 'ilo5', 'idrac9', 'xcc', 'supermicro', 'openbmc', ''],
    0,
  ]);
});

test('--list-quirks lists the quirks with the profiles that have them, and exits', async () => {
  const { out, status } = await ending(sim('--list-quirks'));
  expect(out).toMatch(/^if-match-wanted {2,}.*\[xcc\]$/m);
  expect(out).toMatch(/^tasks {2,}.*Retry-After$/m);
  expect(status).toBe(0);
});

test('combines --profile and repeated --quirk', async () => {
  const child = sim('--port', '0', '--profile', 'xcc', '--quirk', 'pages', '--quirk', 'links-with-slash');
  const [line] = await linesUntil(child, /listening/);
  const media = `${line!.split(' ').at(-1)}/redfish/v1/Systems/1/VirtualMedia`;
  const headers = { Authorization: `Basic ${btoa('u:p')}` };
  const document = (await (await fetch(media, { headers })).json()) as Record<string, unknown>;
  expect(document).toMatchObject({ '@odata.id': '/redfish/v1/Systems/1/VirtualMedia/', 'Members@odata.count': 4 });
  expect(document.Members).toHaveLength(2);
});

test('--event-rate sends events from the start', async () => {
  const child = sim('--port', '0', '--count', '2', '--control-port', '0', '--event-rate', '200');
  const lines = await linesUntil(child, /control API/);
  const url = lines.at(-1)!.split(' ').at(-1)!.replace('/bmcs', '/events');
  const made = async () => ((await (await fetch(url)).json()) as { made: number }).made;
  await expect.poll(made, { timeout: 20_000 }).toBeGreaterThan(10);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('--help lists every option, with examples', async () => {
  const { out, status } = await ending(sim('--help'));
  expect(status).toBe(0);
  for (const option of [
    'count',
    'host',
    'port',
    'profile',
    'quirk',
    'boot-time',
    'capture',
    'transcript',
    'no-auth',
    'latency',
    'event-rate',
    'event-retry-interval',
    'control-port',
  ]) {
    expect(out).toContain(`--${option}`);
  }
  expect(out).toContain('Examples:');
});

test.each([
  [['--count', '0'], 'from 1 to'],
  [['--latency', 'soon'], 'from 0 to'],
  [['--profile', 'toaster'], 'plain'],
  [['--quirk', 'toaster'], '--list-quirks'],
  [['--quirk', 'tls-1.0'], '--tls-cert'],
  [
    ['--quirk', 'create-204', '--quirk', 'pages', '--quirk', 'create-no-body'],
    '--quirk create-204 and --quirk create-no-body',
  ],
  [
    ['--profile', 'ilo5', '--quirk', 'errors-html'],
    '--quirk errors-html and errors-ilo of the profile exclude each other',
  ],
  [['--capture', '/nowhere/c.json'], '/nowhere/c.json'],
  [['--transcript', '/nowhere/t.json'], '/nowhere/t.json'],
  [['--tls-key', 'k.pem'], '--tls-cert'],
])('%j fails with the allowed values', async (args, reason) => {
  const { out, err, status } = await ending(sim('--port', '0', ...args));
  expect([out, status]).toEqual(['', 1]);
  expect(err).toContain(reason);
});

test('fails with the port when it is in use', async () => {
  const first = sim('--port', '0');
  const [line] = await linesUntil(first, /listening/);
  const port = new URL(line!.split(' ').at(-1)!).port;
  const { err, status } = await ending(sim('--port', port));
  expect([status, err]).toEqual([1, `error: port ${port} on 127.0.0.1 is in use; choose another\n`]);
});

test('each profile can be had, alone and with a quirk of another kind, and no quirk excludes itself', () => {
  for (const profile of PROFILES.values()) expect(excluding(profile.quirks ?? [])).toBeNull();
  for (const quirk of QUIRKS.values()) expect(excluding([quirk, quirk])).toBeNull();
  expect(excluding(quirksNamed('media-under-manager', 'several-managers', 'tasks', 'busy-idrac-503'))).toBeNull();
  for (const [one, other] of [
    ['media-under-manager', 'media-under-system'],
    ['errors-html', 'errors-empty'],
    ['first-read-429', 'first-read-reset'],
    ['redirects-to-slash-301', 'redirects-to-slash-308'],
  ] as const) {
    expect(excluding(quirksNamed(other, 'pages', one))?.map(({ name }) => name)).toEqual([other, one]);
  }
});
