import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PassthruError } from '../../src/core/errors.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createIpmiHardwareType } from '../../src/drivers/ipmi/ipmiHardwareType.ts';
import { needs } from '../needs.ts';
import { freeUdpPort, ipmiSimulationMissing, type SimulatedIpmiBmc, startIpmiSim } from './ipmiSim.ts';
import { methodOf, nodeOf, taskOn } from './nodeTask.ts';

const missing = ipmiSimulationMissing();

// The real ipmitool against a BMC simulated by OpenIPMI's ipmi_sim.
describe('ipmi through ipmitool', needs(missing), () => {
  const ipmi = createIpmiHardwareType();
  let bmc: SimulatedIpmiBmc;
  beforeAll(async () => {
    bmc = await startIpmiSim();
  });
  afterAll(async () => {
    await bmc.stop();
  });

  async function call(method: string, raw: JsonObject, driverInfo: JsonObject = {}) {
    const info = {
      ipmi_address: '127.0.0.1',
      ipmi_port: bmc.port,
      ipmi_username: 'admin',
      ipmi_password: 'sekret',
      // ipmi_sim does not report its cipher suites; ipmitool would retry that query for 10 s.
      ipmi_cipher_suite: 3,
      ...driverInfo,
    };
    const { task } = taskOn(nodeOf('ipmi', info));
    const found = methodOf(ipmi, method);
    return found.run(task, found.parse(raw));
  }

  async function failure(method: string, raw: JsonObject, driverInfo: JsonObject = {}): Promise<PassthruError> {
    return call(method, raw, driverInfo).then(
      () => Promise.reject(new Error('the call succeeded')),
      (error: PassthruError) => error,
    );
  }

  test('send_raw returns the bytes of the BMC', async () => {
    // Get Device ID (IPMI 2.0, 20.1): device 0, revision 3, firmware 9.8, IPMI 2.0, manufacturer 0x1291.
    const bytes = '0x00 0x03 0x09 0x08 0x02 0x9f 0x91 0x12 0x00 0x02 0x0f 0x00 0x00 0x00 0x00';
    expect(await call('send_raw', { raw_bytes: '0x06 0x01' })).toEqual({ raw_bytes: bytes });
    expect(await call('send_raw', { raw_bytes: '6 1' })).toEqual({ raw_bytes: bytes });
  });

  test('send_raw works over IPMI 1.5', async () => {
    const version = { ipmi_protocol_version: '1.5', ipmi_cipher_suite: null };
    expect(await call('send_raw', { raw_bytes: '0x06 0x01' }, version)).toEqual({
      raw_bytes: expect.stringMatching(/^0x00 0x03 0x09 /),
    });
  });

  test('a cold reset is sent; a warm one, unknown to this BMC, fails with its response', async () => {
    expect(await call('bmc_reset', { warm: 'False' })).toBeNull();
    const error = await failure('bmc_reset', {});
    expect(error.kind).toBe('bmc_refused');
    expect(error.message).toBe('IPMI call failed: bmc reset warm. The BMC at 127.0.0.1 responded Invalid command');
  });

  test('a refused command fails with the completion code', async () => {
    const error = await failure('send_raw', { raw_bytes: '0x06 0x99' });
    expect(error.kind).toBe('bmc_refused');
    expect(error.message).toBe('IPMI call failed: raw. The BMC at 127.0.0.1 responded 0xc1 (Invalid command)');
  });

  test('a wrong password is reported, and not tried again', async () => {
    const error = await failure('send_raw', { raw_bytes: '0x06 0x01' }, { ipmi_password: 'guess' });
    expect(error.kind).toBe('bmc_refused');
    expect(error.message).toMatch(/password/);
    expect(error.message).not.toMatch(/guess/);
  });

  test('an unknown user and an unsupported cipher suite are reported', async () => {
    const user = await failure('send_raw', { raw_bytes: '0x06 0x01' }, { ipmi_username: 'nobody' });
    expect(user).toMatchObject({ kind: 'bmc_refused', message: expect.stringContaining('unauthorized name') });
    const suite = await failure('send_raw', { raw_bytes: '0x06 0x01' }, { ipmi_cipher_suite: 17 });
    expect(suite).toMatchObject({ kind: 'bmc_refused', message: expect.stringContaining('authentication algorithm') });
  });

  test('an unknown host is reported', async () => {
    const error = await failure('send_raw', { raw_bytes: '0x06 0x01' }, { ipmi_address: 'nosuch.invalid' });
    expect(error).toMatchObject({ kind: 'bmc_unreachable', message: expect.stringContaining('could not be resolved') });
  });

  test('an absent BMC did not respond (after the 20 s for which ipmitool retries)', async () => {
    const error = await failure('send_raw', { raw_bytes: '0x06 0x01' }, { ipmi_port: await freeUdpPort() });
    expect(error).toMatchObject({ kind: 'bmc_unreachable', message: expect.stringMatching(/did not respond$/) });
  }, 60_000);
});
