// The service is killed while it reads the streams of BMCs, and started again: what was missed is stored once, or told as a gap.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { PROFILES, QUIRKS, startFleet } from '../../src/sim/index.ts';
import { type Command, startPassthru } from '../cli/run.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'passthru-stream-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

async function start(name: string): Promise<{ url: string; command: Command }> {
  const command = startPassthru(['serve'], {
    PASSTHRU_LISTEN: '127.0.0.1:0',
    PASSTHRU_STORE: `sqlite:${join(directory, `${name}.db`)}`,
    PASSTHRU_EVENTS_LISTEN: '127.0.0.1:0',
    PASSTHRU_EVENTS_VERIFY_INTERVAL: '1s',
    PASSTHRU_EVENTS_TEST_INTERVAL: '0s',
    PASSTHRU_SECRETS_PLAIN: 'true',
  });
  const [, url] = await command.printed(/^listening on (\S+)$/m);
  return { url: url!, command };
}

// biome-ignore lint/suspicious/noExplicitAny: documents of REST
async function rest(url: string, method: string, path: string, body?: unknown): Promise<any> {
  const headers = { 'X-OpenStack-Ironic-API-Version': '1.80', 'Content-Type': 'application/json' };
  const response = await fetch(url + path, { method, headers, body: body === undefined ? null : JSON.stringify(body) });
  expect(response.ok).toBe(true);
  return response.json();
}

test.each([
  ['which keeps what was missed', ['event-stream-replays']],
  ['which keeps nothing', []],
])('a BMC %s', { timeout: 120_000 }, async (what, quirks) => {
  const fleet = await startFleet({
    profile: PROFILES.get('plain')!,
    quirks: quirks.map((name) => QUIRKS.get(name)!),
  });
  const [bmc] = fleet.bmcs;
  const name = what.replace(/\W+/g, '-');
  let { url, command } = await start(name);
  try {
    const driver_info = { redfish_address: bmc!.url, redfish_username: 'u', redfish_password: 'p' };
    await rest(url, 'POST', '/v1/nodes', { name: 'n1', driver: 'redfish', driver_info });
    await rest(url, 'PUT', '/v1/nodes/n1/event_source', { transport: 'sse' });
    const ids = async () => {
      const { events } = await rest(url, 'GET', '/v1/events?limit=1000');
      return events.flatMap(({ bmc_event_id: id, kind }: Record<string, string>) =>
        kind === 'EVENT_KIND_RECORD' ? [id] : [],
      ) as string[];
    };
    await vi.waitUntil(async () => bmc!.events.streams === 1, 60_000);
    const [before] = bmc!.events.send();
    await vi.waitFor(async () => expect(await ids()).toEqual([before]));
    // The id of the last event is stored by the passes over the source.
    await new Promise((resolve) => setTimeout(resolve, 3000));

    command.process.kill('SIGKILL');
    await command.ended;
    await vi.waitUntil(() => bmc!.events.streams === 0);
    const [missed] = bmc!.events.send();
    ({ url, command } = await start(name));
    await vi.waitUntil(() => bmc!.events.streams === 1, 60_000);
    const [after] = bmc!.events.send();
    const wanted = quirks.length > 0 ? [before, missed, after] : [before, after];
    await vi.waitFor(async () => expect((await ids()).toSorted()).toEqual(wanted));
    const { events } = await rest(url, 'GET', '/v1/events?limit=1000');
    const gaps: string[] = events.flatMap(({ kind, message }: Record<string, string>) =>
      kind === 'EVENT_KIND_GAP' ? [message] : [],
    );
    // At an interval of a second, a BMC that says nothing for two may have lost the stream.
    expect(gaps.filter((message) => !message.includes('has said nothing for long'))).toEqual([
      expect.stringContaining('the service did not read the stream'),
    ]);
  } finally {
    command.process.kill('SIGKILL');
    await fleet.close();
  }
});
