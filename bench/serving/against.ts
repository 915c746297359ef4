import { join } from 'node:path';
import type { Comparison } from './comparisons.ts';
import { nodeUuid, type Parties, REDFISH_NODE } from './parties.ts';
import { asyncCall, call, listMethods } from './requests.ts';
import type { Server } from './servers.ts';
import { http1, http2, type Work } from './work.ts';

const NODES = Array.from({ length: 64 }, (_, index) => nodeUuid(index));

const CALLS = http1(NODES.map((node) => call('rest', node)));
const JOBS = http1(NODES.map(asyncCall));

const ON_SQLITE: Record<string, Work> = {
  'REST methods list': http1([listMethods('rest', REDFISH_NODE)]),
  'REST exclusive call, 64 nodes': CALLS,
  'REST exclusive call, one node': http1([call('rest', nodeUuid(0))]),
  'Connect JSON exclusive call, 64 nodes': http1(NODES.map((node) => call('connect-json', node))),
  'gRPC exclusive call, 64 nodes': http2(NODES.map((node) => call('grpc', node))),
  'gRPC exclusive call, one node': http2([call('grpc', nodeUuid(0))]),
  'gRPC ListNodeMethods': http2([listMethods('grpc', REDFISH_NODE)]),
  'asynchronous call, 64 nodes': JOBS,
};

const ON_POSTGRES: Record<string, Work> = {
  'PostgreSQL: exclusive call, 64 nodes': CALLS,
  'PostgreSQL: asynchronous call, 64 nodes': JOBS,
};

/** Compares the service of this checkout with that of another one, which has its node_modules. */
export function comparisonsAgainst(parties: Parties, checkout: string): Comparison[] {
  const main = join(checkout, 'src/main.js');
  const compare = ([name, work]: [string, Work], start: (main?: string) => Promise<Server>): Comparison => ({
    name,
    tool: work.tool,
    async parties() {
      return [
        { name: 'this checkout', server: await start(), work },
        { name: checkout, server: await start(main), work },
      ];
    },
    ratios: [{ what: name, ours: 'this checkout', theirs: checkout, wanted: null }],
  });
  return [
    ...Object.entries(ON_SQLITE).map((each) => compare(each, (other) => parties.sqlite(NODES.length, other))),
    ...Object.entries(ON_POSTGRES).map((each) => compare(each, (other) => parties.postgres(other))),
  ];
}
