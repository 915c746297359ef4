import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { needs } from '../needs.ts';
import { type Command, ROOT, start } from './run.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const DEMO = join(ROOT, 'src', 'demo', 'demo.ts');

let demo: Command;
let printed: string;

beforeAll(async () => {
  demo = start(process.execPath, [DEMO], { PASSTHRU_LISTEN: '127.0.0.1:0', PASSTHRU_FAKE_VENDOR_DELAY: '100ms' });
  await demo.printed(/^Ready: .*$/m);
  printed = demo.bytes().toString();
});

afterAll(async () => {
  demo.process.kill('SIGINT');
  const { status, stdout, stderr } = await demo.ended;
  expect({ status, stderr, last: stdout.slice(printed.length) }).toEqual({ status: 0, stderr: '', last: 'stopped\n' });
});

/** The commands that the demo prints for `program`, in order. */
function commandsOf(program: string): string[] {
  const lines = printed.split('\n').map((line) => line.trim());
  return lines.filter((line) => line.startsWith(`${program} `));
}

/** Runs a command line as a person would, from the project's folder. */
async function shell(line: string) {
  return start('sh', ['-c', line]).ended;
}

const hasCurl = spawnSync('curl', ['--version']).status === 0;

describe('every command printed by the demo works as printed', () => {
  test('curl', needs(hasCurl ? null : 'curl'), async () => {
    const outputs: string[] = [];
    for (const line of commandsOf('curl')) {
      const { status, stdout } = await shell(line);
      expect({ line, status }).toEqual({ line, status: 0 });
      outputs.push(stdout);
    }
    const [methods, created, listed, accepted, jobs, changes, connect, events] = outputs;
    expect(JSON.parse(methods!)).toHaveProperty('eject_vmedia.async', true);
    expect(JSON.parse(created!)).toMatchObject({ Destination: 'https://listener.example/events' });
    expect(JSON.parse(listed!)).toHaveProperty('Members');
    expect(accepted).toMatch(/^HTTP\/1\.1 202 [\s\S]*^Location: \S*\/v1\/jobs\/[0-9a-f-]{36}\r$/m);
    expect(JSON.parse(jobs!).jobs.length).toBeGreaterThanOrEqual(2);
    expect(changes).toMatch(/^event: job$[\s\S]*"state":"JOB_STATE_SUCCEEDED"/m);
    expect(JSON.parse(connect!)).toHaveProperty('result.Members');
    expect(JSON.parse(events!).events[0]).toMatchObject({ node_name: 'rf-2', kind: 'EVENT_KIND_RECORD' });
    expect(outputs).toHaveLength(8);
  });

  test('npm run passthru', async () => {
    const ended = [];
    for (const line of commandsOf('npm')) if (!line.endsWith(' follow')) ended.push(await shell(line));
    const [nodes, methods, eject, fake, locked, jobs, events, sources, tested] = ended;
    expect(ended.map(({ status }) => status)).toEqual([0, 0, 0, 0, 4, 0, 0, 0, 0]);
    expect(nodes!.stdout).toMatch(/\| rf-3 +\|/);
    expect(methods!.stdout).toMatch(/\| get_all_subscriptions +\| GET +\|/);
    expect(eject!.stdout).toMatch(/\| state +\| succeeded +\|/);
    expect(fake!.stdout).toMatch(/\| result +\| True +\|/);
    expect(locked!.stderr).toMatch(/held by conductor-b\.example/);
    expect(jobs!.stdout).toMatch(/eject_vmedia +\| succeeded/);
    expect(events!.stdout).toMatch(/\| rf-[23] +\|/);
    expect(sources!.stdout).toMatch(/\| rf-2 +\| active +\| push +\|/);
    expect(tested!.stdout).toMatch(/^A test event of node rf-2 arrived after \d+ ms$/m);
  });

  test('npm run passthru -- events follow', async () => {
    const [line, ...others] = commandsOf('npm').filter((each) => each.endsWith(' follow'));
    expect(others).toEqual([]);
    // Without the shell and npm, which would stay when they are killed.
    const follow = start(process.execPath, ['src/main.js', ...line!.split(' -- ')[1]!.split(' ')]);
    const ended = follow.ended;
    await follow.printed(/ rf-[23] \w+ .*\n.* rf-[23] /);
    follow.process.kill('SIGINT');
    await ended;
  });

  test('buf curl, over gRPC with reflection', async () => {
    const [line, ...others] = commandsOf('npx');
    expect(others).toEqual([]);
    const { status, stdout } = await shell(line!);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toHaveProperty('result.Members');
  });

  test('grpcurl and baremetal use the same address', () => {
    const [, url] = /^listening on http:\/\/(\S+)$/m.exec(printed)!;
    expect(commandsOf('grpcurl').every((line) => line.includes(` ${url} `))).toBe(true);
    expect(commandsOf('baremetal').every((line) => line.includes(`--os-endpoint http://${url} `))).toBe(true);
  });
});

test('the printed nodes are in the described state', async () => {
  const [, url] = /^listening on (\S+)$/m.exec(printed)!;
  const statusOf = async (node: string, query: string) => {
    const headers = { 'X-OpenStack-Ironic-API-Version': '1.82', 'Passthru-Lock-Wait': '0' };
    return (await fetch(`${url}/v1/nodes/${node}/vendor_passthru?${query}`, { headers })).status;
  };
  expect(await statusOf('rf-3', 'method=get_all_subscriptions')).toBe(200);
  expect(await statusOf('down-1', 'method=get_all_subscriptions')).toBe(500);
  expect(await statusOf('locked-1', 'method=get_all_subscriptions')).toBe(409);
});

test('a port in use is reported, with how to choose another', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const { status, stdout, stderr } = await start(process.execPath, [DEMO], { PASSTHRU_LISTEN: `127.0.0.1:${port}` })
    .ended;
  taken.close();
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toContain(`The demo cannot start: Cannot listen on 127.0.0.1:${port}`);
  expect(stderr).toContain('PASSTHRU_LISTEN=127.0.0.1:7000 npm run demo');
});
