import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { operator } from '../core/harness.ts';
import { startObserved } from './observedService.ts';
import { startOtlpReceiver } from './otlpReceiver.ts';

/** Does a warm reset, and fails a cold one in the words of ipmitool. */
const PROGRAM = `#!/bin/sh
case "$*" in
  *"bmc reset cold") echo "MC reset command failed: Node busy" >&2; exit 1;;
esac
`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-ipmitool-'));
  writeFileSync(join(folder, 'ipmitool'), PROGRAM, { mode: 0o755 });
  vi.stubEnv('PATH', folder + delimiter + process.env.PATH);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

test('each run of ipmitool is counted, timed, and a span under its job without bytes and passwords', async () => {
  await using receiver = await startOtlpReceiver();
  {
    await using observed = await startObserved({ PASSTHRU_TRACING_OTLP_ENDPOINT: receiver.url });
    const driverInfo = { ipmi_address: '192.0.2.7', ipmi_username: 'u', ipmi_password: 'marker-password' };
    await observed.service.core.nodes.create({ name: 'ipmi-1', driver: 'ipmi', driverInfo }, operator);
    const call = async (method: string, args: object) => {
      const response = await observed.send('POST', `/v1/nodes/ipmi-1/vendor_passthru/${method}`, args);
      expect(response.status).toBe(202);
      await (await observed.send('GET', `${response.headers.get('Location')}/events`)).text();
    };
    await call('bmc_reset', { warm: true });
    await call('bmc_reset', { warm: false });
    await call('send_raw', { raw_bytes: '0x0a 0x5a' });
    const runs = (command: string, outcome: string) =>
      observed.metric(`passthru_ipmitool_runs_total{command="${command}",outcome="${outcome}"}`);
    expect(await runs('bmc reset warm', 'done')).toBe(1);
    expect(await runs('bmc reset cold', 'bmc_failed')).toBe(1);
    expect(await runs('raw', 'done')).toBe(1);
    expect(await observed.metric('passthru_ipmitool_duration_seconds_count{command="raw"}')).toBe(1);
  }
  const job = receiver.spans.find(({ name }) => name === 'job ipmi.send_raw');
  const raw = receiver.spans.find(({ name }) => name === 'ipmitool raw');
  expect(raw).toMatchObject({
    kind: 3,
    traceId: job?.traceId,
    parentSpanId: job?.spanId,
    attributes: { 'server.address': '192.0.2.7' },
    status: { code: 0 },
  });
  expect(receiver.spans.find(({ name }) => name === 'ipmitool bmc reset cold')).toMatchObject({
    attributes: { 'error.type': 'bmc_failed' },
    status: { code: 2 },
  });
  expect(receiver.bodies.join('')).not.toMatch(/marker|0x5a/);
});
