import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Access, noAuthenticator } from '../../src/auth/access.ts';
import { AUTH_TYPES } from '../../src/config/authSettings.ts';
import type { HardwareType } from '../../src/core/hardware.ts';
import { defineMethod } from '../../src/core/method.ts';
import { createFakeHardwareType } from '../../src/drivers/fake/fakeHardwareType.ts';
import { openApiDocument } from '../../src/rest/openapi/document.ts';
import { ROUTES } from '../../src/rest/routes.ts';
import { type RunningService, runService } from '../service.ts';

/** A parsed JSON document of any shape. */
type Loose = ReturnType<typeof JSON.parse>;

const NOTHING = '99999999-9999-4999-8999-999999999999';

const method = (name: string, verb: 'GET' | 'POST', size: z.ZodType) =>
  defineMethod({
    name,
    httpMethods: [verb],
    description: `Does ${name}`,
    arguments: z.object({ size }),
    result: z.number(),
    handler: async () => 1,
  });

const measured: HardwareType = {
  name: 'measured',
  vendorInterfaces: [
    { name: 'large', methods: [method('measure', 'POST', z.int()), method('look', 'GET', z.int())] },
    { name: 'small', methods: [method('measure', 'POST', z.string())] },
  ],
  driverMethods: [{ ...method('survey', 'POST', z.int()) }],
  properties: {},
};

let service: RunningService;
beforeAll(async () => {
  service = await runService({ hardwareTypes: [measured, createFakeHardwareType({ vendorDelay: 0 })] });
});
afterAll(() => service.close());

async function fetchDocument() {
  const response = await fetch(`${service.url}/openapi.json`);
  expect(response.status).toBe(200);
  return (await response.json()) as ReturnType<typeof openApiDocument> & { paths: Record<string, Loose> };
}

describe('GET /openapi.json', () => {
  test('has every route with every verb except HEAD', async () => {
    const { paths } = await fetchDocument();
    const expected = ROUTES.filter(({ action }) => action !== 'request an unserved route').flatMap(({ verbs, path }) =>
      verbs.filter((verb) => verb !== 'HEAD').map((verb) => `${verb} ${path.replaceAll(/:(\w+)/g, '{$1}')}`),
    );
    const found = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((verb) => `${verb.toUpperCase()} ${path}`),
    );
    expect(found).toEqual(expect.arrayContaining(expected));
    const operations = Object.values(paths).flatMap((path): Loose[] => Object.values(path));
    expect(operations.filter(({ summary }) => !summary)).toEqual([]);
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  });

  test('has no dangling references', async () => {
    const document = await fetchDocument();
    const refs = JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(\w+)\/([^"]+)"/g);
    for (const [, kind = '', name = ''] of refs) {
      expect(document.components[kind as 'schemas'], `${kind} ${name}`).toHaveProperty([name]);
    }
  });

  test('has the arguments and results of every method', async () => {
    const { paths } = await fetchDocument();
    const { post } = paths['/v1/nodes/{ident}/vendor_passthru/measure']!;
    expect(post.requestBody.content['application/json'].schema.anyOf).toMatchObject([
      { properties: { size: { type: 'integer' } }, required: ['size'], additionalProperties: false },
      { properties: { size: { type: 'string' } } },
    ]);
    expect(post.responses['200'].content['application/json'].schema).toEqual({ type: 'number' });
    const { get } = paths['/v1/nodes/{ident}/vendor_passthru/look']!;
    expect(get.requestBody).toBeUndefined();
    expect(get.parameters).toContainEqual(
      expect.objectContaining({ name: 'size', in: 'query', schema: expect.objectContaining({ type: 'integer' }) }),
    );
    expect(paths).toHaveProperty(['/v1/drivers/measured/vendor_passthru/survey']);
    const job = paths['/v1/nodes/{ident}/vendor_passthru/second_method']!.post.responses;
    expect(Object.keys(job['202'].headers)).toEqual(expect.arrayContaining(['Location', 'Passthru-Job-Id']));
    expect(job).not.toHaveProperty('200');
  });

  test.each(AUTH_TYPES)('describes the authentication: %s', (type) => {
    const document = openApiDocument(ROUTES, [], new Access(noAuthenticator, type));
    const schemes = Object.keys(document.components.securitySchemes ?? {});
    const { get } = document.paths['/v1/nodes']! as Loose;
    expect(schemes).toHaveLength(type === 'none' ? 0 : 1);
    expect(get.security ?? []).toEqual(schemes.map((scheme) => ({ [scheme]: [] })));
    expect('401' in get.responses).toBe(type !== 'none');
    expect((document.paths['/']! as Loose).get.security).toBeUndefined();
  });
});

test('describes every supported route', () => {
  const silent = ROUTES.filter(({ description }) => description === null);
  expect([...new Set(silent.map(({ action }) => action))]).toEqual(['request an unserved route']);
});

describe('a route accepts exactly its described parameters', () => {
  const queried = ROUTES.filter(({ description, path }) => description !== null && path !== '/healthz');
  const names = [...new Set(queried.flatMap(({ description }) => Object.keys(description?.query ?? {})))];

  test.each(
    queried.filter(({ action }) => action !== 'call a method').map((route) => [route.verbs[0]!, route] as const),
  )('%s $1.path', async (verb, { path, description }) => {
    const taken: string[] = [];
    for (const name of [...names, 'unheard_of']) {
      const url = `${service.url}${path.replaceAll(/:\w+/g, NOTHING)}?${name}=x`;
      const response = await fetch(url, { method: verb, headers: { 'X-OpenStack-Ironic-API-Version': 'latest' } });
      const isStream = response.headers.get('content-type') === 'text/event-stream';
      if (isStream) await response.body?.cancel();
      if (isStream || !(await response.text()).includes('Unexpected arguments')) taken.push(name);
    }
    expect(taken.sort()).toEqual(Object.keys(description?.query ?? {}).sort());
  });
});
