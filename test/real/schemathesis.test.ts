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

/** How long schemathesis is to look for faults, in seconds; where none is said it asks the same each time. */
const wanted = process.env.SCHEMATHESIS_SECONDS;
const SECONDS = Number(wanted ?? 25);
const SEED = wanted === undefined ? ['--seed', '1'] : [];
const LIMIT_MS = (SECONDS + 60) * 1000;

const NODE = '11111111-1111-4111-8111-111111111111';
/** The one that may be removed, so that the calls have a node. */
const DOOMED = '22222222-2222-4222-8222-222222222222';

const CONFIGURATION = `
[parameters]
ident = "${NODE}"
driver = "fake-hardware"

[[operations]]
include-name = "DELETE /v1/nodes/{ident}"
parameters = { ident = "${DOOMED}" }
`;

const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
];

/** It connects to whatever address it is given, and tells with a 500 that no BMC is there. */
const CONNECTS = 'driver_redfish_discover_post';

const environment = await pythonEnvironment();
const folder = mkdtempSync(join(tmpdir(), 'passthru-schemathesis-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('schemathesis, by /openapi.json', needs('missing' in environment ? environment.missing : null), () => {
  test(
    'finds no undocumented status or header, no 500, and no response that violates its schema',
    async () => {
      if ('missing' in environment) return;
      const [configuration, nodes, report] = ['schemathesis.toml', 'nodes.yaml', 'report.har'].map((name) =>
        join(folder, name),
      ) as [string, string, string];
      writeFileSync(configuration, CONFIGURATION);
      const uuids = [NODE, DOOMED].map((uuid) => ({ uuid, driver: 'fake-hardware' }));
      writeFileSync(nodes, JSON.stringify({ nodes: uuids }));
      const service = await serve([], { PASSTHRU_NODES_FILE: nodes });
      try {
        const words = ['--config-file', configuration, 'run', `${service.url}/openapi.json`];
        const bounds = ['--max-time', String(SECONDS), '--request-timeout', '20', '--continue-on-failure'];
        const told = [...SEED, '--no-color', '--report', 'har', '--report-har-path', report];
        const program = join(environment.folder, 'bin', 'schemathesis');
        const choice = ['--checks', CHECKS.join(','), '--exclude-operation-id', CONNECTS];
        // In a folder of its own: it leaves there what it would replay.
        const found = await run(program, [...words, ...choice, ...bounds, ...told], { cwd: folder }).then(
          () => null,
          ({ stdout, stderr }) => `${stdout}${stderr}`,
        );
        expect(found).toBeNull();
      } finally {
        await service.stop();
      }
      // It has come past the refusals.
      const { log } = JSON.parse(readFileSync(report, 'utf8'));
      const statuses = new Set(log.entries.map(({ response }: { response: { status: number } }) => response.status));
      expect([...statuses]).toEqual(expect.arrayContaining([200, 202, 400, 404]));
    },
    LIMIT_MS,
  );
});
