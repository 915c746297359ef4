import { once } from 'node:events';
import { createServer, type Server, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Fleet, startFleet } from '../../src/sim/index.ts';
import { type RoleService, startRoleService } from '../auth/roleService.ts';
import { htpasswd, passwordOf } from '../auth/users.ts';
import { findChromium, startChromium } from '../clients/chromium.ts';
import { needs } from '../needs.ts';
import { logInAs } from './visitor.ts';

const chromium = await findChromium();
const ADMIN = { name: 'ann', role: 'admin' } as const;
const { signal } = new AbortController();
const PASSWORD = 'planted-bmc-password-8f2';
const ARGUMENT = 'planted-argument-3c9';

let browser: Browser | undefined;
let fleet: Fleet;
let service: RoleService;
let proxy: Server;
let users: string;
/** Everything that the service has sent to the browser. */
const told: Buffer[] = [];

beforeAll(async () => {
  if (chromium === null) return;
  browser = await startChromium(chromium);
  fleet = await startFleet({ accounts: { admin: PASSWORD } });
  users = htpasswd('ann');
  service = await startRoleService(
    'secrets: { plain: true }\nrecorder: all\nevents: { listen: "127.0.0.1:0" }\n' +
      'auth:\n  type: http_basic\n  http_basic_auth_user_file: users\n  roles: { ann: admin }\n',
    { users },
  );
  const driverInfo = { redfish_address: fleet.bmcs[0]!.url, redfish_username: 'admin', redfish_password: PASSWORD };
  await service.core.nodes.create({ name: 'rf-1', driver: 'redfish', driverInfo }, ADMIN);
  proxy = await startProxy(service.url);
});
afterAll(async () => {
  await browser?.close();
  proxy?.closeAllConnections();
  proxy?.close();
  await service?.[Symbol.asyncDispose]();
  await fleet?.close();
});

/** Starts a proxy that keeps what it passes on: a browser tells nothing of a stream before it ends. */
async function startProxy(url: string): Promise<Server> {
  const { hostname, port } = new URL(url);
  const server = createServer((received, response) => {
    // Not compressed, so that it can be searched.
    const headers = { ...received.headers, 'accept-encoding': 'identity' };
    const sent = send({ hostname, port, path: received.url, method: received.method, headers }, (answer) => {
      told.push(Buffer.from(JSON.stringify(answer.rawHeaders)));
      answer.on('data', (chunk: Buffer) => told.push(chunk));
      response.writeHead(answer.statusCode!, answer.rawHeaders);
      answer.pipe(response);
    });
    sent.on('error', () => response.destroy());
    response.on('close', () => sent.destroy());
    received.pipe(sent);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

test('a browser is told no secret on any page', needs(chromium === null ? 'Chromium' : null), async () => {
  // A BMC that repeats the password, and an argument that is a secret, in an error that the pages show.
  const said = { MessageId: 'Base.1.0.GeneralError', Message: `Told by the BMC: ${PASSWORD} ${ARGUMENT}` };
  fleet.bmcs[0]!.faults.add({
    ...{ kind: 'status', status: 400, match: { path: '*/VirtualMedia' } },
    body: JSON.stringify({ error: { code: 'Base.1.0.GeneralError', '@Message.ExtendedInfo': [said] } }),
  });
  const outcome = await service.core.callNodeMethod({
    ...{ node: 'rf-1', method: 'insert_vmedia', httpMethod: null, idempotencyKey: null, lockWait: 0 },
    arguments: { image_url: 'http://198.51.100.7/x.iso', credentials: { username: 'u', password: ARGUMENT } },
    ...{ caller: ADMIN, signal, deadline: null },
  });
  if (outcome.kind !== 'job') throw new TypeError('insert_vmedia is asynchronous');
  await service.core.eventSources.set(
    'rf-1',
    { transport: null, selection: { registryPrefixes: [], messageIds: [], resourceTypes: [], severities: [] } },
    ADMIN,
  );
  const { lockedKey } = await lock();
  const { port } = proxy.address() as AddressInfo;
  const { page, faults, close } = await logInAs(browser!, `http://127.0.0.1:${port}`, 'ann', 'nodes');

  await page.getByRole('link', { name: 'rf-1' }).click();
  await page.getByRole('heading', { name: 'rf-1', level: 1 }).waitFor();
  await page.getByRole('link', { name: 'Jobs', exact: true }).click();
  await page.getByRole('link', { name: 'insert_vmedia on rf-1' }).click();
  await page.getByText('Told by the BMC: ').first().waitFor();
  await page.getByRole('button', { name: 'Show the exchanges with the machine' }).click();
  await page
    .getByText(/^GET \/redfish/)
    .first()
    .waitFor();
  await page.getByRole('link', { name: 'Locks', exact: true }).click();
  await page.getByRole('button', { name: 'Release held-1' }).waitFor();
  await page.getByRole('link', { name: 'Events', exact: true }).click();
  await page.getByRole('link', { name: 'Event sources' }).click();
  await page.getByRole('link', { name: 'rf-1' }).click();
  await page.getByRole('status').getByText('Active').waitFor();
  await page.getByRole('link', { name: 'Overview', exact: true }).click();
  await page.getByText('Locked nodes: 1').waitFor();
  expect(faults).toEqual([]);
  await close();

  const all = Buffer.concat(told).toString('latin1');
  // What is looked for would be found: the pages were told of the node, the job's error and the transcript.
  for (const text of ['rf-1', 'Told by the BMC: ******', '"exchanges"', 'held-1']) expect(all).toContain(text);
  const secrets = [PASSWORD, ARGUMENT, `ann:${passwordOf('ann')}`, lockedKey, ...users.trim().split(/[:\n]/).slice(1)];
  const forms = (secret: string) => [secret, Buffer.from(secret).toString('base64').replace(/=+$/, '')];
  for (const form of secrets.flatMap(forms)) expect(all.includes(form), form).toBe(false);
});

/** Locks a node; returns the secret that the lock has. */
async function lock(): Promise<{ lockedKey: string }> {
  await service.core.nodes.create({ name: 'held-1', driver: 'fake-hardware' }, ADMIN);
  const request = { holder: 'test', lockWait: 0, caller: ADMIN, signal };
  return { lockedKey: (await service.core.nodes.lock('held-1', request)).reservationKey };
}
