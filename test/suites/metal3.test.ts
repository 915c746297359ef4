import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { start } from '../cli/run.ts';
import { needs } from '../needs.ts';
import { expectTable, type Row, stableText, WORKS } from '../real/compatibilityPage.ts';
import { type AuthType, PASSWORD, startIronicService, USER } from '../real/ironicService.ts';
import { unavailablePackages } from './goModule.ts';

// On a fresh machine it compiles the Kubernetes packages that the operator imports.
vi.setConfig({ testTimeout: 900_000, hookTimeout: 900_000 });

const MODULE = new URL('./metal3', import.meta.url).pathname;
const noModule = await unavailablePackages(MODULE, ['.']);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-metal3-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("metal3's baremetal-operator", needs(noModule), () => {
  /** Runs the provisioner, which reads the operator's files and variables. Returns its outcomes. */
  async function run(program: string, authType: AuthType): Promise<Row[]> {
    const service = await startIronicService(authType);
    try {
      await ejectAll(service.bmc);
      const accounts = join(folder, authType);
      if (authType === 'http_basic') {
        mkdirSync(join(accounts, 'ironic'), { recursive: true });
        writeFileSync(join(accounts, 'ironic', 'username'), USER);
        writeFileSync(join(accounts, 'ironic', 'password'), PASSWORD);
      }
      const variables = { IRONIC_ENDPOINT: `${service.url}/v1/`, METAL3_AUTH_ROOT_DIR: accounts };
      const { status, stdout, stderr } = await start(program, [service.bmc], variables).ended;
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      // The newest that it knows. Which versions there are it reads from `/v1/` without one.
      expect([...service.versions].filter((version) => version !== '')).toEqual(['1.95']);
      const outcomes = JSON.parse(stdout) as { call: string; error?: string }[];
      return outcomes.map(({ call, error }) => ({
        call,
        result: error === undefined ? WORKS : stableText(readable(error), { [service.bmc]: 'BMC' }),
      }));
    } finally {
      await service.stop();
    }
  }

  test('its own provisioner finds the features, subscribes, and attaches images as the table expects', async () => {
    const program = join(folder, 'metal3');
    expect(await start('go', ['build', '-C', MODULE, '-o', program, '.']).ended).toMatchObject({ status: 0 });
    const open = await run(program, 'none');
    expect(await run(program, 'http_basic')).toEqual(open);
    for (const { result } of open)
      expect(result).toMatch(
        /^works$|^.*400: Not served here|^404: .*Subscriptions\/\d+ not found$|^400: Destination nowhere/,
      );
    expectTable('metal3', 'Call', open);
  });
});

/** Ejects what the simulated BMC has inserted at first: the operator takes any medium for its own. */
async function ejectAll(bmc: string): Promise<void> {
  const media = `${bmc}/redfish/v1/Systems/437XR1138R2/VirtualMedia`;
  const { Members } = (await (await fetch(media)).json()) as { Members: { '@odata.id': string }[] };
  for (const { '@odata.id': path } of Members) {
    const { ok } = await fetch(`${bmc}${path}/Actions/VirtualMedia.EjectMedia`, { method: 'POST', body: '{}' });
    expect([path, ok]).toEqual([path, true]);
  }
}

/** Returns the operator's error without what differs between runs: gophercloud's text has the request and JSON in JSON. */
function readable(error: string): string {
  return error
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID')
    .replace(/Expected HTTP response code .* when accessing \[\S+ \S+\], but got (\d+) instead: ?/, '$1: ')
    .replace(/\{"error_message":\s*"(.*)"\}\s*$/s, (_whole, inner) => {
      const fault = JSON.parse(JSON.parse(`"${inner}"`));
      return fault.faultstring;
    });
}
