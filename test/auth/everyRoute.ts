import { create, type DescMethod, type DescService, toBinary } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import { ACTIONS, type Action } from '../../src/auth/actions.ts';
import { ROLES, type Role } from '../../src/core/caller.ts';
import type { Route } from '../../src/rest/router.ts';
import { ROUTES } from '../../src/rest/routes.ts';
import { rpcAction } from '../../src/rpc/actions.ts';
import { rpcRoutes, SERVICES } from '../../src/rpc/routes.ts';
import { type Login, PROTOCOLS, Requests } from './requests.ts';

/** The credentials of a caller of each role, and wrong ones. */
export interface Callers extends Record<Role, Login> {
  wrong: Login;
}

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

function sampleBody({ action }: Route, verb: string): unknown {
  return action === 'change a node' && verb === 'PATCH' ? [{ op: 'add', path: '/extra/a', value: 1 }] : undefined;
}

type Who = 'anonymous' | keyof Callers;
const WHO: readonly Who[] = ['anonymous', 'wrong', ...ROLES];

/** Returns the expected outcome of `action` for `who`. */
function expected(type: string, who: Who, action: Action | undefined): 'refused' | 'forbidden' | 'allowed' {
  const required = action === undefined ? undefined : ACTIONS[action];
  if (required === 'open' || (type === 'none' && required !== undefined)) return 'allowed';
  if (who === 'anonymous' || who === 'wrong') return 'refused';
  return required !== undefined && ROLES.indexOf(who) >= ROLES.indexOf(required) ? 'allowed' : 'forbidden';
}

function seenOverRest(status: number) {
  return status === 401 ? 'refused' : status === 403 ? 'forbidden' : 'allowed';
}

function seenOverRpc(code: Code | null) {
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
        for (const verb of route.verbs) {
          const name = `${verb} ${route.path}`;
          const { status } = await requests.rest(verb, samplePath(route), sampleBody(route, verb));
          seen[name] = seenOverRest(status);
          expectedOutcomes[name] = expected(type, who, route.action);
        }
      }
      for (const { name, isStream, message } of everyRpc()) {
        for (const protocol of PROTOCOLS) {
          seen[`${name} over ${protocol}`] = seenOverRpc(await requests.rpc(protocol, name, isStream, message));
          expectedOutcomes[`${name} over ${protocol}`] = expected(type, who, rpcAction(name));
        }
      }
      expect(seen).toEqual(expectedOutcomes);
    });
  });
}
