import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import type { Fleet } from '../../src/sim/index.ts';
import { PROFILES, startFleet } from '../../src/sim/index.ts';
import { needs } from '../needs.ts';
import { pythonEnvironment } from './pythonEnvironment.ts';

const run = promisify(execFile);
const USER = 'administrator';
const PASSWORD = 'not-a-word-of-a-message';
const SCRIPT = new URL('./sushy_profiles.py', import.meta.url).pathname;
const LIMIT_MS = 180_000;
const NAMES = [...PROFILES.keys()];

const environment = await pythonEnvironment();
const missing = 'missing' in environment ? environment.missing : null;
const { folder, python } = 'missing' in environment ? { folder: '', python: '' } : environment;
const logs = mkdtempSync(join(tmpdir(), 'validators-'));
afterAll(() => rmSync(logs, { recursive: true }));

async function serve(name: string): Promise<{ fleet: Fleet; url: string }> {
  const fleet = await startFleet({ profile: PROFILES.get(name)!, accounts: { [USER]: PASSWORD } });
  return { fleet, url: fleet.bmcs[0]!.url };
}

/** Runs a validator. Exit status 1 means findings, which are in its report. */
async function runValidator(program: string, args: string[]): Promise<void> {
  await run(python, [join(folder, 'bin', program), ...args], { timeout: LIMIT_MS, maxBuffer: 1e8 }).catch((error) => {
    if (error.code !== 1) throw error;
  });
}

describe('sushy, the reference client', needs(missing), () => {
  test.each(NAMES)(
    '%s: logs in, lists systems, creates and deletes a subscription, inserts and ejects media',
    async (name) => {
      const { fleet, url } = await serve(name);
      try {
        const { stdout } = await run(python, [SCRIPT, url, USER, PASSWORD], { timeout: LIMIT_MS });
        const done = JSON.parse(stdout);
        expect(Object.keys(done)).toEqual(['log in', 'list systems', 'subscribe', 'virtual media', 'log out']);
        // bmcweb refuses EventTypes, which callers of sushy have to leave out.
        expect(done.subscribe['left out']).toBe(name === 'openbmc' ? 'EventTypes' : null);
        expect(fleet.bmcs[0]!.sessions).toEqual([]);
        expect(fleet.bmcs[0]!.requests.every(({ auth }) => auth !== 'basic')).toBe(true);
      } finally {
        await fleet.close();
      }
    },
    LIMIT_MS,
  );
});

/** Findings caused by the simulator serving plain HTTP. */
const FOUND_OVER_HTTP = ['SEC_BASIC_AUTH_OVER_HTTPS', 'SEC_SESSION_CREATE_HTTPS_ONLY'];

describe("DMTF's redfish_protocol_validator", needs(missing), () => {
  test.concurrent.each(NAMES)(
    '%s: finds nothing except the use of HTTP',
    async (name) => {
      const { fleet, url } = await serve(name);
      const reports = join(logs, `protocol-${name}`);
      try {
        const account = ['-u', USER, '-p', PASSWORD, '-r', url];
        await runValidator('rf_protocol_validator', [...account, '--report-type', 'tsv', '--report-dir', reports]);
      } finally {
        await fleet.close();
      }
      const report = readFileSync(join(reports, readdirSync(reports).find((file) => file.endsWith('.tsv'))!), 'utf8');
      const rows = report.split('\n').map((line) => line.split('\t'));
      expect(rows.filter((row) => row.includes('PASS')).length).toBeGreaterThan(200);
      const failed = rows.filter((row) => row.includes('FAIL') && !FOUND_OVER_HTTP.includes(row[0]!));
      expect(failed).toEqual([]);
    },
    LIMIT_MS,
  );
});

/** Deviations from the schemas that a profile has on purpose. */
const INTENDED: Record<string, RegExp> = {
  // Recorded from DMTF's own mockup, whose subscriptions predate the type version that they state.
  plain: /SubscriptionType.*Required Property Error/,
};

/** A folder of CSDL files (DSP8010). The validator would fetch them from DMTF; no package registry has them. */
const schemas = process.env.REDFISH_SCHEMAS;

if (schemas === undefined) {
  process.stderr.write(
    "NOT RUN: redfish_service_validator requires DMTF's schemas (DSP8010): set REDFISH_SCHEMAS to their folder\n",
  );
} else {
  describe("DMTF's redfish_service_validator", needs(missing), () => {
    test.each(NAMES)(
      '%s: finds no unintended deviation',
      async (name) => {
        const reports = join(logs, `service-${name}`);
        const { fleet, url } = await serve(name);
        try {
          const account = ['-u', USER, '-p', PASSWORD, '-r', url];
          const options = ['--schema_directory', schemas, '--skipschema', '--logdir', reports];
          await runValidator('rf_service_validator', [...account, ...options]);
        } finally {
          await fleet.close();
        }
        const files = readdirSync(reports, { recursive: true, encoding: 'utf8' });
        const log = readFileSync(join(reports, files.find((file) => /Debug.*\.log$/.test(file))!), 'utf8');
        expect(log.match(/Pass: \d+/g)?.length).toBeGreaterThan(15);
        const errors = log.split('\n').filter((line) => line.includes(' ERROR ') && !INTENDED[name]?.test(line));
        expect(errors).toEqual([]);
      },
      LIMIT_MS,
    );
  });
}
