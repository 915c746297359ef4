import { describe, expect, test } from 'vitest';
import { ProbeStopped } from '../../../src/redfish/index.ts';
import { PROFILES, QUIRKS, type Quirk, type SimulatedBmc } from '../../../src/sim/index.ts';
import { probe, withBmc } from './probing.ts';

/** The paths that a probe leaves alone. */
const LEFT_ALONE =
  /Log|Accounts\/|Sensors|Memory|Processors|Storage|NetworkAdapters|Sessions\/|Thermal|Power\b|\$metadata/;

function requestsTo(bmc: SimulatedBmc): string[] {
  return bmc.requests.map(({ method, path }) => `${method} ${path}`);
}

describe('a probe', () => {
  test.each([...PROFILES.keys()])('only reads, but for its login and logout: %s', async (name) => {
    await withBmc({ profile: PROFILES.get(name)! }, async (bmc) => {
      const before = JSON.stringify([...PROFILES.get(name)!.documents.keys()].map((path) => bmc.documents.get(path)));
      await probe(bmc);
      const changes = requestsTo(bmc).filter((request) => !request.startsWith('GET '));
      expect(changes).toEqual([
        expect.stringMatching(/^POST .*\/Sessions\/?$/),
        expect.stringMatching(/^DELETE .*\/Sessions\/[^/]+\/?$/),
      ]);
      expect(bmc.sessions).toEqual([]);
      expect(requestsTo(bmc).filter((request) => !/\/Sessions\//.test(request) && LEFT_ALONE.test(request))).toEqual(
        [],
      );
      const after = JSON.stringify([...PROFILES.get(name)!.documents.keys()].map((path) => bmc.documents.get(path)));
      expect(after).toBe(before);
    });
  });

  test('sends nothing but GET without an account', async () => {
    await withBmc({}, async (bmc) => {
      await probe(bmc, { info: { redfish_username: null, redfish_password: null } });
      expect(new Set(bmc.requests.map(({ method }) => method))).toEqual(new Set(['GET']));
    });
  });

  test('has two requests in flight at most', async () => {
    let inFlight = 0;
    const most: number[] = [];
    // Each response takes a while, so that requests overlap.
    const crowded: Quirk = { name: 'crowded', description: '', connections: { maxRequests: 2, overload: '503' } };
    const count: Quirk = {
      name: 'count',
      description: '',
      beforeAuthentication: () => {
        most.push(++inFlight);
        setImmediate(() => inFlight--);
        return undefined;
      },
    };
    await withBmc({ profile: PROFILES.get('xcc')!, quirks: [crowded, count], latency: 20 }, async (bmc) => {
      const { report } = await probe(bmc);
      expect(bmc.requests.filter(({ status }) => status === 503)).toEqual([]);
      expect(report.stopped).toBeNull();
      expect(bmc.connections).toBeLessThanOrEqual(2);
      expect(most.length).toBeGreaterThan(30);
    });
    // The check works: one at once is too few.
    const one: Quirk = { ...crowded, connections: { maxRequests: 1, overload: '503' } };
    await withBmc({ profile: PROFILES.get('xcc')!, quirks: [one], latency: 20 }, async (bmc) => {
      await probe(bmc);
      expect(bmc.requests.some(({ status }) => status === 503)).toBe(true);
    });
  });

  test('ends after the given number of requests, and returns what it has read', async () => {
    await withBmc({}, async (bmc) => {
      const { capture, report } = await probe(bmc, { maxRequests: 12 });
      // The login and logout are not counted: a read of the service root, POST and DELETE.
      expect(bmc.requestCount).toBeLessThanOrEqual(12 + 3);
      expect(report.stopped).toBe('it had sent 12 requests');
      expect(Object.keys(capture)).toContain('/redfish/v1/Systems');
      expect(report.methods.map(({ verdict }) => verdict)).not.toContain('will not work');
      expect(report.methods[0]).toMatchObject({
        verdict: 'unknown until tried',
        why: 'the probe ended before it was read',
      });
      expect(bmc.sessions).toEqual([]);
    });
  });

  test('ends when its time is over, logs out, and returns what it has read', async () => {
    await withBmc({}, async (bmc) => {
      const stop = new AbortController();
      void bmc.nextRequest({ method: 'GET', path: '/redfish/v1/EventService' }).then(() => {
        stop.abort(new ProbeStopped('300 s had passed'));
      });
      const { capture, report } = await probe(bmc, { signal: stop.signal });
      expect(report.stopped).toBe('300 s had passed');
      expect(Object.keys(capture)).toContain('/redfish/v1');
      expect(bmc.sessions).toEqual([]);
    });
  });

  test('reads a collection without end only so far', async () => {
    const endless: Quirk = {
      name: 'endless',
      description: 'each page of the subscriptions leads to another',
      handle: (request, _bmc, next) => {
        const response = next(request);
        if (!request.path.endsWith('/Subscriptions') || response.body === null) return response;
        const page = Number(/\$skip=(\d+)/.exec(request.target)?.[1] ?? 0) + 1;
        const nextLink = { 'Members@odata.nextLink': `${request.path}?$skip=${page}` };
        return { ...response, body: JSON.stringify({ ...JSON.parse(response.body), ...nextLink }) };
      },
    };
    await withBmc({ quirks: [endless] }, async (bmc) => {
      const { report } = await probe(bmc, { maxRequests: 200 });
      expect(bmc.requestCount).toBeLessThanOrEqual(203);
      expect(report.kinds.map(({ name }) => name)).toContain('subscriptions-page-loop');
    });
  });

  test('follows no link to another host', async () => {
    const elsewhere: Quirk = {
      name: 'elsewhere',
      description: 'links lead away',
      changeDocuments: (documents) => {
        const root = documents.get('/redfish/v1')!;
        const Managers = { '@odata.id': 'https://elsewhere.invalid/redfish/v1/Managers' };
        documents.set('/redfish/v1', { ...root, Managers, Tasks: { '@odata.id': '//elsewhere.invalid/x' } });
      },
    };
    await withBmc({ quirks: [elsewhere] }, async (bmc) => {
      const { report, capture } = await probe(bmc);
      expect(report.stopped).toBeNull();
      expect(JSON.stringify(capture)).not.toContain('elsewhere.invalid');
      expect(bmc.requests.some(({ path }) => path.includes('elsewhere'))).toBe(false);
    });
  });

  test('reports a part that hangs, and goes on', async () => {
    await withBmc({}, async (bmc) => {
      bmc.faults.add({ kind: 'hang', match: { path: '/redfish/v1/UpdateService' } });
      bmc.faults.add({ kind: 'hang', match: { path: '/redfish/v1/AccountService' } });
      const { report } = await probe(bmc, { info: { redfish_request_timeout: 0.2 } });
      expect(report.closed).toContainEqual({
        path: '/redfish/v1/AccountService',
        status: null,
        why: expect.stringContaining('No response'),
      });
      expect(report.methods).toContainEqual(expect.objectContaining({ method: 'discover', verdict: 'works' }));
    });
  });

  test('tries a wrong password once each way, and reads on as a stranger', async () => {
    await withBmc({}, async (bmc) => {
      const { report } = await probe(bmc, { info: { redfish_password: 'wrong' } });
      expect(report.login).toMatchObject({ kind: 'failed', strangers: ['/redfish/v1'] });
      const tries = bmc.requests.filter(({ method, auth }) => method === 'POST' || auth === 'basic');
      expect(tries.length).toBeLessThanOrEqual(2);
      expect(report.methods.map(({ verdict }) => verdict)).not.toContain('works');
    });
  });

  test.each([
    ['session', 'session', 'session'],
    ['basic', 'basic', 'basic'],
  ])('logs in as asked: %s', async (authType, kind, auth) => {
    await withBmc({}, async (bmc) => {
      const { report } = await probe(bmc, { info: { redfish_auth_type: authType } });
      expect(report.login).toMatchObject({ kind, error: null });
      expect(new Set(bmc.requests.map((request) => request.auth))).toEqual(new Set(['none', auth]));
    });
  });

  test('reads the system that it was given, where the BMC has several', async () => {
    const several = QUIRKS.get('closed-system')!;
    await withBmc({ quirks: [several] }, async (bmc) => {
      const info = { redfish_system_id: '/redfish/v1/Systems/437XR1138R2' };
      const { report } = await probe(bmc, { info });
      expect(report.methods.filter(({ method }) => method.startsWith('eject_vmedia '))).toHaveLength(2);
    });
  });
});
