import { join } from 'node:path';
import type { Comparison } from './comparisons.ts';
import { nodeUuid, type Parties, REDFISH_NODE } from './parties.ts';
import { asyncCall, call, listMethods } from './requests.ts';
import { http1, http2, type Work } from './work.ts';

const NODES = Array.from({ length: 64 }, (_, index) => nodeUuid(index));

const WORKS: Record<string, Work> = {
  'REST methods list': http1([listMethods('rest', REDFISH_NODE)]),
  'REST exclusive call, 64 nodes': http1(NODES.map((node) => call('rest', node))),
  'REST exclusive call, one node': http1([call('rest', nodeUuid(0))]),
  'Connect JSON exclusive call, 64 nodes': http1(NODES.map((node) => call('connect-json', node))),
  'gRPC exclusive call, 64 nodes': http2(NODES.map((node) => call('grpc', node))),
  'gRPC exclusive call, one node': http2([call('grpc', nodeUuid(0))]),
  'gRPC ListNodeMethods': http2([listMethods('grpc', REDFISH_NODE)]),
  'asynchronous call, 64 nodes': http1(NODES.map(asyncCall)),
};

/** Compares the service of this checkout with that of another one, which has its node_modules, on SQLite. */
export function comparisonsAgainst(parties: Parties, checkout: string): Comparison[] {
  const main = join(checkout, 'src/main.js');
  return Object.entries(WORKS).map(([name, work]) => ({
    name,
    tool: work.tool,
    async parties() {
      return [
        { name: 'this checkout', server: await parties.sqlite(), work },
        { name: checkout, server: await parties.sqlite(NODES.length, main), work },
      ];
    },
    ratios: [{ what: name, ours: 'this checkout', theirs: checkout, wanted: null }],
  }));
}
