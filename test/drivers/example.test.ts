import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startRackPdu } from '../../examples/rack-pdu-simulator.ts';
import { loadConfig } from '../../src/config/load.ts';
import { applyNodesFile } from '../../src/config/nodesFile.ts';
import { ANONYMOUS } from '../../src/core/caller.ts';
import type { Core, NodeCall } from '../../src/core/core.ts';
import { createCore } from '../../src/core/create.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { loadDriverModules } from '../../src/drivers/load.ts';
import { openStore } from '../../src/store/open.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));
const caller = { name: 'operator', role: 'admin' } as const;

describe('the example', () => {
  let core: Core;
  let pdu: { server: Server; url: string };
  beforeAll(async () => {
    pdu = await startRackPdu(0);
    const config = loadConfig({ file: join(EXAMPLES, 'config.yaml'), environment: {} });
    core = await createCore({
      store: await openStore(config.store, { log: silentLogger }),
      hardwareTypes: await loadDriverModules(config.drivers, EXAMPLES, { log: silentLogger }),
      host: 'host-a',
      log: silentLogger,
      settings: { lockedRetryAttempts: 1, lockedRetryInterval: 0, maxLockWait: 0, workers: 2 },
    });
    await applyNodesFile(config.nodes_file as string, core, silentLogger);
    await enrol('here', { pdu_address: pdu.url });
  });
  afterAll(async () => {
    await core.shutdown(0);
    pdu.server.closeAllConnections();
    pdu.server.close();
  });

  function enrol(name: string, driverInfo: JsonObject) {
    const info = { pdu_outlet: 'A1', pdu_username: 'pdu', pdu_password: 'secret', ...driverInfo };
    return core.nodes.create({ name, driver: 'rack-pdu', driverInfo: info }, caller);
  }

  function call(node: string, method: string, args: JsonObject = {}) {
    const request: NodeCall = {
      node,
      method,
      arguments: args,
      httpMethod: null,
      idempotencyKey: null,
      lockWait: null,
      caller,
      signal: new AbortController().signal,
      deadline: null,
    };
    return core.callNodeMethod(request);
  }

  test('enrols the nodes of its nodes file with its driver', async () => {
    const methods = await core.listNodeMethods('node-a1');
    expect(methods.map((method) => method.name)).toEqual(['get_outlet', 'load_report', 'power_cycle']);
    expect(await core.nodes.validate('node-a2')).toBeNull();
  });

  test('returns the result of a synchronous call', async () => {
    expect(await call('here', 'get_outlet')).toEqual({
      kind: 'result',
      result: { outlet: 'A1', power_state: 'On', watts: expect.any(Number) },
    });
  });

  test('returns a report as a CSV file, with arguments as text too', async () => {
    const outcome = await call('here', 'load_report', { samples: '3', interval: '0' });
    if (outcome.kind !== 'attachment') throw new Error(outcome.kind);
    expect(outcome.attachment).toMatchObject({ mediaType: 'text/csv', fileName: 'load.csv' });
    const lines = new TextDecoder().decode(outcome.attachment.data).trim().split('\n');
    expect(lines[0]).toBe('time,power_state,watts');
    expect(lines).toHaveLength(4);
  });

  test('power-cycles the outlet as a job with progress', async () => {
    const outcome = await call('here', 'power_cycle', { off_seconds: 1 });
    if (outcome.kind !== 'job') throw new Error(outcome.kind);
    const seen = [];
    for await (const job of core.jobs.watch(outcome.job.id, null, ANONYMOUS, new AbortController().signal))
      seen.push(job);
    expect(seen.some((job) => job.progress?.message === 'off, 1 s to go')).toBe(true);
    expect(seen.at(-1)).toMatchObject({ state: 'succeeded', result: { outlet: 'A1', power_state: 'On' } });
  });

  test('lists the outlets of a PDU without a node, by its driver method', async () => {
    const outcome = await core.callDriverMethod({
      driver: 'rack-pdu',
      method: 'list_outlets',
      arguments: { address: pdu.url, username: 'pdu', password: 'secret' },
      httpMethod: null,
      idempotencyKey: null,
      caller,
      signal: new AbortController().signal,
      deadline: null,
    });
    expect(outcome).toEqual({ kind: 'result', result: ['A1', 'A2', 'A3', 'A4'] });
  });

  test('distinguishes a wrong password, a silent PDU and an impossible outlet', async () => {
    await enrol('refused', { pdu_address: pdu.url, pdu_password: 'guess' });
    await expect(call('refused', 'get_outlet')).rejects.toMatchObject({ kind: 'bmc_refused', bmc: { status: 401 } });
    const closed = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => closed.once('listening', resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    await enrol('silent', { pdu_address: `http://127.0.0.1:${port}` });
    await expect(call('silent', 'get_outlet')).rejects.toMatchObject({ kind: 'bmc_unreachable' });
    await enrol('climbing', { pdu_address: pdu.url, pdu_outlet: '../../Managers' });
    await expect(call('climbing', 'get_outlet')).rejects.toMatchObject({ kind: 'invalid_argument' });
  });
});

describe('docs/drivers.md', () => {
  test('starts with a driver that works as printed', async () => {
    const page = await readFile(new URL('../../docs/drivers.md', import.meta.url), 'utf8');
    const source = /```ts\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    const directory = await mkdtemp(join(tmpdir(), 'passthru-docs-'));
    await writeFile(join(directory, 'knock-driver.ts'), source);
    // In a separate process, like the service: under vitest, Node does not load the modules.
    const program = `
      import { createServer } from 'node:net';
      import { loadDriverModules } from '${new URL('../../src/drivers/load.ts', import.meta.url)}';
      import { silentLogger as log } from '${new URL('../../src/core/logger.ts', import.meta.url)}';
      const [type] = await loadDriverModules(['./knock-driver.ts'], ${JSON.stringify(directory)}, { log });
      const server = createServer().listen(0, '127.0.0.1', async () => {
        const { methods: [knock], validate } = type.vendorInterfaces[0];
        const node = { driverInfo: { bmc_address: '127.0.0.1' } };
        validate(node);
        const task = { node, signal: new AbortController().signal };
        const args = knock.parse({ port: String(server.address().port) });
        const open = await knock.run(task, args);
        await new Promise((resolve) => server.close(resolve));
        const error = await knock.run(task, args).catch((error) => error);
        console.log(JSON.stringify({ name: type.name, open: typeof open.milliseconds, closed: error.kind }));
      });`;
    await writeFile(join(directory, 'program.mjs'), program);
    const { stdout } = await promisify(execFile)(process.execPath, [join(directory, 'program.mjs')]);
    await rm(directory, { recursive: true });
    expect(JSON.parse(stdout)).toEqual({ name: 'knock', open: 'number', closed: 'bmc_unreachable' });
  });
});
