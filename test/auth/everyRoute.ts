import { create, type DescMethod, type DescService, toBinary } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import type { Role } from '../../src/core/caller.ts';
import type { Route } from '../../src/rest/router.ts';
import { ROUTES } from '../../src/rest/routes.ts';
import { rpcRoutes, SERVICES } from '../../src/rpc/routes.ts';
import { type Login, PROTOCOLS, Requests } from './requests.ts';
import { expectedFor, requirementOf, type Seen, WHO } from './roleTable.ts';

/** The credentials of a caller of each role, of one without a role, and wrong ones. */
export type Callers = Record<Role | 'none' | 'wrong', Login>;

/** A running service of one authentication type. */
export interface GuardedService {
  url: string;
  /** The CA of its certificate, when it uses TLS. */
  ca?: string;
  callers: Callers;
}

export interface Rpc {
  name: string;
  isStream: boolean;
  /** A well-formed request for something that does not exist. */
  message: Buffer;
}

/** The UUID of nothing, so that an allowed request changes nothing. */
const ABSENT = '99999999-9999-4999-8999-999999999999';

/** Returns every RPC that the service registers at its router. */
export function everyRpc(): Rpc[] {
  const found: Rpc[] = [];
  const router = {
    rpc(method: DescMethod & { parent: DescService }) {
      const name = `${method.parent.typeName}/${method.name}`;
      found.push({ name, isStream: method.methodKind !== 'unary', message: sampleMessage(method) });
    },
  };
  rpcRoutes({ services: SERVICES, core: {}, access: { isOpen: () => false }, log: {} } as never)(router as never);
  return found;
}

function sampleMessage({ input }: DescMethod): Buffer {
  const node = input.field.node;
  if (node === undefined) return Buffer.from(toBinary(input, create(input)));
  const value = node.fieldKind === 'message' ? { driver: 'none' } : ABSENT;
  return Buffer.from(toBinary(input, create(input, { node: value } as never)));
}

function samplePath({ path }: Route): string {
  return path.replaceAll(/:\w+/g, ABSENT).replaceAll('*', 'x');
}

function sampleBody({ action, path }: Route, verb: string): unknown {
  if (path.endsWith('/vmedia') && verb === 'POST') return { device_type: 'cdrom', image_url: 'http://192.0.2.1/a.iso' };
  return action === 'change a node' && verb === 'PATCH' ? [{ op: 'add', path: '/extra/a', value: 1 }] : undefined;
}

export function seenOverRest(status: number): Seen {
  return status === 401 ? 'refused' : status === 403 ? 'forbidden' : 'allowed';
}

export function seenOverRpc(code: Code | null): Seen {
  return code === Code.Unauthenticated ? 'refused' : code === Code.PermissionDenied ? 'forbidden' : 'allowed';
}

/** Declares the tests that request every route and RPC as each caller. */
export function testEveryRoute(type: string, service: () => GuardedService): void {
  describe(`${type}: every route and RPC admits the roles of the table`, () => {
    test.each(WHO)('%s', async (who) => {
      const { url, ca, callers } = service();
      using requests = new Requests(url, who === 'anonymous' ? {} : callers[who], ca);
      const [seen, expectedOutcomes]: [Record<string, string>, Record<string, string>] = [{}, {}];
      for (const route of ROUTES) {
        // A route that is not served has one handler for all of its verbs.
        const verbs = route.description === null ? (['GET', 'POST'] as const) : route.verbs;
        const statuses = verbs.map(async (verb) => {
          const name = `${verb} ${route.path}`;
          expectedOutcomes[name] = expectedFor(type, who, requirementOf(type, verb, route.path));
          const { status } = await requests.rest(
            verb,
            samplePath(route),
            sampleBody(route, verb),
            {},
            // Events of many jobs or nodes do not end.
            (received) => /\/(events|stream)$/.test(route.path) && received.length > 0,
          );
          seen[name] = seenOverRest(status);
        });
        await Promise.all(statuses);
      }
      for (const { name, isStream, message } of everyRpc()) {
        for (const protocol of PROTOCOLS) {
          seen[`${name} over ${protocol}`] = seenOverRpc(await requests.rpc(protocol, name, isStream, message));
          expectedOutcomes[`${name} over ${protocol}`] = expectedFor(type, who, requirementOf(type, 'RPC', name));
        }
      }
      expect(seen).toEqual(expectedOutcomes);
    });
  });
}
