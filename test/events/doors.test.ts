// Event sources by each door: REST, RPC and the command, on a simulated BMC.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { EventService, type EventSeverity, EventSourceState, EventTransport } from '../../gen/passthru/v1/event_pb.ts';
import { basic, htpasswd, passwordOf } from '../auth/users.ts';
import { passthru } from '../cli/run.ts';
import { type ObservedService, startObserved } from '../observe/observedService.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

const UNTIL = { timeout: 30_000, interval: 50 };
const SOURCE = '/v1/nodes/rf-1/event_source';

let folder: string;
let observed: ObservedService;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-doors-'));
  writeFileSync(join(folder, 'users'), htpasswd('olaf', 'rita'));
  observed = await startObserved({
    PASSTHRU_EVENTS_LISTEN: '127.0.0.1:0',
    PASSTHRU_EVENTS_TEST_TIMEOUT: '20s',
    PASSTHRU_AUTH_TYPE: 'http_basic',
    PASSTHRU_AUTH_HTTP_BASIC_AUTH_USER_FILE: join(folder, 'users'),
    PASSTHRU_AUTH_ROLES: 'olaf=operator, rita=reader',
  });
});
afterAll(async () => {
  await observed[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** Waits until nothing is left of a source. */
async function gone(): Promise<void> {
  await vi.waitFor(
    () =>
      expect(observed.service.core.eventSources.get('rf-1')).rejects.toMatchObject({ kind: 'event_source_not_found' }),
    UNTIL,
  );
}

describe('REST', () => {
  /** Returns the status and the document. */
  async function send(user: string, verb: string, path: string, body?: unknown) {
    const response = await observed.send(verb, path, body, basic(user).headers as Record<string, string>);
    const text = await response.text();
    // biome-ignore lint/suspicious/noExplicitAny: documents of every shape
    return { status: response.status, document: text === '' ? null : (JSON.parse(text) as any), text };
  }

  test('sets, shows, lists, tests and deletes a source', async () => {
    const given = { transport: 'push', selection: { message_ids: [], registry_prefixes: ['ResourceEvent'] } };
    const set = await send('olaf', 'PUT', SOURCE, given);
    expect(set).toMatchObject({ status: 200, document: { node_name: 'rf-1', transport: 'EVENT_TRANSPORT_PUSH' } });
    await vi.waitFor(
      async () => expect((await send('rita', 'GET', SOURCE)).document.state).toBe('EVENT_SOURCE_STATE_ACTIVE'),
      UNTIL,
    );
    const listed = await send('rita', 'GET', '/v1/event_sources?state=active&driver=redfish');
    expect(listed.document.event_sources).toMatchObject([
      {
        node_name: 'rf-1',
        selection: { registry_prefixes: ['ResourceEvent'] },
        active_transport: 'EVENT_TRANSPORT_PUSH',
      },
    ]);
    expect((await send('rita', 'GET', '/v1/event_sources?state=failed')).document.event_sources).toEqual([]);
    const tested = await send('olaf', 'POST', `${SOURCE}/test`);
    expect(tested).toMatchObject({ status: 200, document: { last_test: { round_trip: expect.any(String) } } });
    expect(await send('olaf', 'DELETE', SOURCE)).toMatchObject({ status: 204, document: null });
    await gone();
    expect((await send('rita', 'GET', SOURCE)).status).toBe(404);
    expect((await send('olaf', 'DELETE', SOURCE)).status).toBe(404);
  });

  test.each([
    [{ transport: 'pigeon' }, 'transport must be one of push, sse, not \\"pigeon\\"'],
    [{ transport: 7 }, 'transport must be one of push, sse, not 7'],
    [
      { selection: { severities: ['bad'] } },
      'selection.severities must be one of ok, warning, critical, not \\"bad\\"',
    ],
    [{ selection: { message_ids: 'x' } }, 'selection.message_ids must be a list of strings'],
    [{ selection: { registry_prefixes: [''] } }, 'selection.registry_prefixes'],
    [{ selection: [] }, 'selection must be an object'],
    [{ selection: { colour: 1 } }, 'selection.colour is not a member of an event source'],
    [{ colour: 1 }, 'colour is not a member of an event source'],
  ])('PUT of %j is refused by name: %s', async (body, problem) => {
    const { status, text } = await send('olaf', 'PUT', SOURCE, body);
    expect(status).toBe(400);
    expect(text.replaceAll('\\\\\\"', '\\"')).toContain(problem);
  });

  test('a node whose driver receives no events, and one that does not exist, are told', async () => {
    const fake = await send('olaf', 'PUT', '/v1/nodes/fake-1/event_source', {});
    expect(fake.status).toBe(409);
    expect(fake.text).toContain("The driver 'fake-hardware'");
    const nobody = await send('olaf', 'PUT', '/v1/nodes/nobody/event_source', {});
    expect(nobody.status).toBe(404);
    expect(nobody.text).toContain('nobody');
  });

  test('changes need the role operator, reading the role reader', async () => {
    expect((await send('rita', 'PUT', SOURCE, {})).status).toBe(403);
    expect((await send('rita', 'DELETE', SOURCE)).status).toBe(403);
    expect((await send('rita', 'POST', `${SOURCE}/test`)).status).toBe(403);
    expect((await send('rita', 'GET', '/v1/event_sources')).status).toBe(200);
    expect((await observed.send('GET', '/v1/event_sources')).status).toBe(401);
  });
});

describe('RPC', () => {
  const clientOf = (user: string) => {
    const client = createClient(EventService, createGrpcTransport({ baseUrl: observed.service.url }));
    return { client, options: { headers: basic(user).headers as Record<string, string> } };
  };

  test('sets, shows, lists, tests and deletes a source', async () => {
    const { client, options } = clientOf('olaf');
    const node = 'rf-1';
    await client.setEventSource({ node, transport: EventTransport.PUSH }, options);
    await vi.waitFor(async () => {
      const { source } = await client.getEventSource({ node }, options);
      expect(source?.state).toBe(EventSourceState.ACTIVE);
    }, UNTIL);
    const listed = await client.listEventSources({ state: EventSourceState.ACTIVE, driver: 'redfish' }, options);
    expect(listed.sources.map(({ nodeName }) => nodeName)).toEqual([node]);
    const { source } = await client.testEventSource({ node }, options);
    expect(source?.lastTest?.error).toBe('');
    await client.deleteEventSource({ node }, options);
    await gone();
    await expect(client.getEventSource({ node }, options)).rejects.toMatchObject({ code: Code.NotFound });
  });

  test('a wrong value is refused by name, and a change by a reader', async () => {
    const { client, options } = clientOf('olaf');
    const refused = async (work: Promise<unknown>) =>
      ConnectError.from(
        await work.then(
          () => null,
          (error) => error,
        ),
      );
    const wrong = await refused(client.setEventSource({ node: 'rf-1', transport: 9 as EventTransport }, options));
    expect(wrong).toMatchObject({ code: Code.InvalidArgument, message: expect.stringContaining('transport') });
    expect(wrong.message).toContain('9');
    const severities = [7 as EventSeverity];
    const other = await refused(client.setEventSource({ node: 'rf-1', selection: { severities } }, options));
    expect(other.message).toContain('selection.severities');
    const state = 12 as EventSourceState;
    expect((await refused(client.listEventSources({ state }, options))).message).toContain('state');
    const reader = clientOf('rita');
    for (const work of [
      reader.client.setEventSource({ node: 'rf-1' }, reader.options),
      reader.client.deleteEventSource({ node: 'rf-1' }, reader.options),
      reader.client.testEventSource({ node: 'rf-1' }, reader.options),
    ]) {
      expect((await refused(work)).code).toBe(Code.PermissionDenied);
    }
    expect((await reader.client.listEventSources({}, reader.options)).sources).toEqual([]);
  });
});

describe('the passthru command', () => {
  const run = (user: string, ...args: string[]) =>
    passthru(args, {
      PASSTHRU_SERVER: observed.service.url,
      PASSTHRU_USER: user,
      PASSTHRU_PASSWORD: passwordOf(user),
    });

  test('sets, shows, lists, tests and deletes a source', async () => {
    expect(await run('olaf', 'events', 'source', 'set', 'rf-1', '--transport', 'push')).toMatchObject({ status: 0 });
    await vi.waitFor(async () => {
      const { state } = await observed.service.core.eventSources.get('rf-1');
      expect(state).toBe('active');
    }, UNTIL);
    const shown = await run('rita', 'events', 'source', 'show', 'rf-1', '-f', 'json');
    expect(JSON.parse(shown.stdout)).toMatchObject({ node_name: 'rf-1', state: 'active', active_transport: 'push' });
    expect((await run('rita', 'events', 'sources')).stdout).toMatch(/\| rf-1 +\| active +\| push +\|/);
    const tested = await run('olaf', 'events', 'test', 'rf-1');
    expect(tested.stdout).toMatch(/^A test event of node rf-1 arrived after \d+ ms$/m);
    const refused = await run('rita', 'events', 'source', 'delete', 'rf-1');
    expect(refused.status).not.toBe(0);
    expect(await run('olaf', 'events', 'source', 'delete', 'rf-1')).toMatchObject({ status: 0 });
    await gone();
    const again = await run('olaf', 'events', 'source', 'show', 'rf-1');
    expect(again.status).not.toBe(0);
    expect(again.stderr).toContain('has no event source');
  });

  test('names a wrong option with what is allowed', async () => {
    const { status, stderr } = await run('olaf', 'events', 'source', 'set', 'rf-1', '--transport', 'pigeon');
    expect(status).not.toBe(0);
    expect(stderr).toContain('"pigeon"');
    expect(stderr).toMatch(/push.*sse/);
  });
});
