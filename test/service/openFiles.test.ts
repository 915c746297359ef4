import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { expect, test, vi } from 'vitest';
import { affordableConnections, openFileLimit } from '../../src/process/openFiles.ts';
import { start } from '../cli/run.ts';
import { needs } from '../needs.ts';

// A process is slow to start on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

test.each([
  ['no known limit', 4000, 100, null, 4000],
  ['a large limit', 4000, 100, 65_536, 4000],
  ['the usual hard limit of old systems', 4000, 100, 1024, 660],
  ['few connections wanted', 500, 100, 1024, 500],
  ['many workers, for which half is left', 4000, 10_000, 4096, 2048],
  ['a tiny limit', 4000, 100, 64, 32],
])('connections with %s', (_what, wanted, workers, openFiles, connections) => {
  expect(affordableConnections(wanted, workers, openFiles)).toBe(connections);
});

const noLimits = existsSync('/proc/self/limits') ? null : 'Linux, with /proc';

test('the limit of this process is read', needs(noLimits), () => {
  expect(openFileLimit()).toBeGreaterThan(100);
});

test('idle connections of one client do not take the files that calls need', needs(noLimits), async () => {
  const command = start('sh', ['-c', 'ulimit -n 256; exec "$0" src/main.js serve', process.execPath], {
    PASSTHRU_LISTEN: '127.0.0.1:0',
    PASSTHRU_STORE: 'sqlite::memory:',
    PASSTHRU_DESTINATIONS_ALLOW: '127.0.0.0/8',
    PASSTHRU_REDFISH_CONNECTION_ATTEMPTS: '1',
  });
  const [, url] = await command.printed(/^listening on (\S+)$/m);
  await command.printed(/"configured":4000,"connections":128,"open_files":256,"msg":"limits\.connections lowered/);
  const { hostname, port } = new URL(url!);
  const sockets: Socket[] = [];
  for (let index = 0; index < 300; index++) {
    const socket = connect(Number(port), hostname).on('error', () => {});
    sockets.push(socket);
    await new Promise((resolve) => socket.once('connect', resolve).once('error', resolve));
    socket.write('G');
  }
  // A driver method that connects to a machine: refused by its port, not for want of a file.
  const headers = { 'X-OpenStack-Ironic-API-Version': '1.78', 'Content-Type': 'application/json' };
  const body = JSON.stringify({ address: 'http://127.0.0.1:9' });
  const response = await fetch(`${url}/v1/drivers/redfish/vendor_passthru/discover`, { method: 'POST', headers, body });
  const text = await response.text();
  expect(text).not.toMatch(/EMFILE/);
  expect(text).toMatch(/ECONNREFUSED/);
  for (const socket of sockets) socket.destroy();
  command.process.kill('SIGTERM');
  const { status, stderr } = await command.ended;
  expect({ status, emfile: /EMFILE/.test(stderr) }).toEqual({ status: 0, emfile: false });
});
