import type { Quirk } from '../../../src/sim/index.ts';
import type { Hiccup } from './machine.ts';

type SimResponse = ReturnType<NonNullable<Quirk['changeResponse']>>;
type Delivery = NonNullable<SimResponse['delivery']>;

/** A request as the machine met it. */
export interface Exchange {
  /** The node that sent it; null for log-ins and log-outs. */
  node: string | null;
  method: string;
  path: string;
  body: string;
  auth: 'none' | 'basic' | 'session';
  status: number;
  delivery: Delivery | 'whole';
  /** Whether a hiccup replaced or lost the response. */
  hiccup: Hiccup['kind'] | null;
  /** The statuses of the changes that it has made, also later, as a task. */
  performed: number[];
  /** Whether name or password were refused as wrong. */
  wrongPassword: boolean;
}

/** What a machine has met, in order. */
export interface Record {
  exchanges: Exchange[];
  /** Tokens that it has given, which nothing may tell. */
  tokens: Set<string>;
  /** The first and the last quirk of the machine, which keep the record and make the hiccups. */
  first: Quirk;
  last: Quirk;
}

const REPLACED: { [kind in Hiccup['kind']]?: number } = { '500': 500, '502': 502, '503': 503, '504': 504, '429': 429 };

/** Keeps a record of a machine with `hiccups`. Requests are handled one at a time, so that the newest is the current one. */
export function recordExchanges(hiccups: readonly Hiccup[]): Record {
  const exchanges: Exchange[] = [];
  const tokens = new Set<string>();
  let hiccup: Hiccup | undefined;
  const current = () => exchanges.at(-1)!;
  const first: Quirk = {
    name: 'first',
    description: '',
    beforeAuthentication: ({ method, path, body, headers }): SimResponse | undefined => {
      hiccup = hiccups.find(({ at }) => at === exchanges.length);
      const node = headers['x-passthru-node'];
      exchanges.push({
        node: typeof node === 'string' ? node : null,
        method,
        path,
        body,
        auth:
          headers['x-auth-token'] !== undefined ? 'session' : headers.authorization !== undefined ? 'basic' : 'none',
        status: 0,
        delivery: 'whole',
        hiccup: hiccup?.kind ?? null,
        performed: [],
        wrongPassword: false,
      });
      if (hiccup?.kind === 'reset') return { status: 500, headers: {}, body: null, delivery: 'reset' };
      const status = hiccup && REPLACED[hiccup.kind];
      return status === undefined
        ? undefined
        : { status, headers: { 'Content-Type': 'text/html' }, body: '<h1>Something broke</h1>' };
    },
  };
  const last: Quirk = {
    name: 'last',
    description: '',
    refuseCredentials: (refused, fault) => {
      if (fault === 'password') current().wrongPassword = true;
      return refused;
    },
    handle: (request, _bmc, next) => {
      const response = next(request);
      if (request.method === 'GET' || request.method === 'HEAD') return response;
      const { method, path } = request;
      // A task, and a BMC that is slow to eject, make their change during a later request.
      const isThis = (each: Exchange) => each.method === method && each.path === path;
      const waits = ({ status, performed }: Exchange) => status >= 200 && status < 300 && performed.length === 0;
      const earlier = isThis(current()) ? undefined : exchanges.find((each) => isThis(each) && waits(each));
      const made = earlier ?? current();
      made.performed.push(response.status);
      const token = response.headers['X-Auth-Token'];
      if (token !== undefined) tokens.add(token);
      return response;
    },
    changeResponse: (response) => {
      const lost = hiccup?.kind === 'reset after' ? 'reset' : hiccup?.kind === 'half body' ? 'half-body' : undefined;
      const sent = lost === undefined ? response : { ...response, delivery: lost as Delivery };
      Object.assign(current(), { status: sent.status, delivery: sent.delivery ?? 'whole' });
      return sent;
    },
  };
  return { exchanges, tokens, first, last };
}
