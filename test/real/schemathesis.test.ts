import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { serve } from '../cli/run.ts';
import { needs } from '../needs.ts';
import { pythonEnvironment } from './pythonEnvironment.ts';

const run = promisify(execFile);

/** The duration of the run, in seconds. The default run sends the same requests each time. */
const duration = process.env.SCHEMATHESIS_SECONDS;
const SECONDS = Number(duration ?? 25);
const SEED = duration === undefined ? ['--seed', '1'] : [];
const LIMIT_MS = (SECONDS + 60) * 1000;

const NODE = '11111111-1111-4111-8111-111111111111';
/** The only node that is deleted, so that the calls keep theirs. */
const DELETED = '22222222-2222-4222-8222-222222222222';

const CONFIGURATION = `
[parameters]
ident = "${NODE}"
driver = "fake-hardware"

[[operations]]
include-name = "DELETE /v1/nodes/{ident}"
parameters = { ident = "${DELETED}" }
`;

const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
];

/** Connects to any given address, and returns 500 if that is not a BMC. */
const EXCLUDED = 'driver_redfish_discover_post';

const environment = await pythonEnvironment();
const folder = mkdtempSync(join(tmpdir(), 'passthru-schemathesis-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('schemathesis against /openapi.json', needs('missing' in environment ? environment.missing : null), () => {
  test(
    'finds no undocumented status or header, no 500, and no response that violates its schema',
    async () => {
      if ('missing' in environment) return;
      const [configuration, nodes, report] = ['schemathesis.toml', 'nodes.yaml', 'report.har'].map((name) =>
        join(folder, name),
      ) as [string, string, string];
      writeFileSync(configuration, CONFIGURATION);
      const uuids = [NODE, DELETED].map((uuid) => ({ uuid, driver: 'fake-hardware' }));
      writeFileSync(nodes, JSON.stringify({ nodes: uuids }));
      const service = await serve([], { PASSTHRU_NODES_FILE: nodes });
      try {
        const command = ['--config-file', configuration, 'run', `${service.url}/openapi.json`];
        const bounds = ['--max-time', String(SECONDS), '--request-timeout', '20', '--continue-on-failure'];
        const output = [...SEED, '--no-color', '--report', 'har', '--report-har-path', report];
        const program = join(environment.folder, 'bin', 'schemathesis');
        const choice = ['--checks', CHECKS.join(','), '--exclude-operation-id', EXCLUDED];
        // It leaves files for replaying in its working directory.
        const found = await run(program, [...command, ...choice, ...bounds, ...output], { cwd: folder }).then(
          () => null,
          ({ stdout, stderr }) => `${stdout}${stderr}`,
        );
        expect(found).toBeNull();
      } finally {
        await service.stop();
      }
      // The run must not consist of refusals only.
      const { log } = JSON.parse(readFileSync(report, 'utf8'));
      const statuses = new Set(log.entries.map(({ response }: { response: { status: number } }) => response.status));
      expect([...statuses]).toEqual(expect.arrayContaining([200, 202, 400, 404]));
    },
    LIMIT_MS,
  );
});
