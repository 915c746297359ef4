import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Sent, send } from './client.ts';
import { type GatedService, startGatedService } from './gatedService.ts';

let service: GatedService;
beforeAll(async () => {
  service = await startGatedService();
});
afterAll(() => service.close());

const at = (minor: number, sent: Sent) =>
  send(service.url, { ...sent, headers: { 'X-OpenStack-Ironic-API-Version': `1.${minor}` } });

const VERBS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

// What Ironic 39 returns.
test.each([
  ['/v1/allocations', 52, [404, 405, 405, 405, 405]],
  ['/v1/allocations/a-1', 52, [404, 405, 405, 405, 405]],
  ['/v1/deploy_templates', 55, [404, 405, 405, 405, 405]],
  ['/v1/runbooks', 92, [404, 405, 405, 405, 405]],
  ['/v1/inspection_rules', 96, [404, 405, 405, 405, 405]],
  ['/v1/portgroups', 23, [404, 404, 404, 404, 404]],
  ['/v1/nodes/n1/bios', 40, [404, 404, 404, 404, 404]],
  ['/v1/nodes/n1/volume/connectors', 32, [404, 404, 404, 404, 404]],
  ['/v1/nodes/n1/traits', 37, [406, 404, 405, 404, 404]],
  ['/v1/nodes/n1/traits/CUSTOM_A', 37, [406, 404, 405, 404, 404]],
  ['/v1/nodes/n1/states/raid', 12, [404, 405, 406, 405, 405]],
  ['/v1/drivers/gated/raid/logical_disk_properties', 12, [406, 405, 405, 405, 405]],
])('an unserved path %s before its version 1.%i gets the status of Ironic', async (path, from, statuses) => {
  for (const [index, method] of VERBS.entries()) {
    const early = await at(from - 1, { method, path });
    expect([method, early.status]).toEqual([method, statuses[index]]);
    expect(early.headers['x-openstack-ironic-api-version']).toBe(`1.${from - 1}`);
    const served = await at(from, { method, path });
    expect([method, served.status, served.fault.faultstring]).toEqual([
      method,
      400,
      expect.stringContaining('Not served here'),
    ]);
  }
});

test.each(['states/console', 'states/power', 'management/boot_device'])(
  'the path nodes/%s/NODE, which Ironic has too, is not served',
  async (path) => {
    const { status, fault } = await at(1, { path: `/v1/nodes/${path}/11111111-1111-4111-8111-111111111111` });
    expect([status, fault.faultstring]).toEqual([400, expect.stringContaining('Not served here')]);
  },
);
