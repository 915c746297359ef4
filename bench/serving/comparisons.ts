import type { Ironic } from './ironic.ts';
import { nodeUuid, type Parties, REDFISH_NODE } from './parties.ts';
import { asyncCall, call, listMethods, type Protocol } from './requests.ts';
import type { Party } from './rounds.ts';
import { http1, http2, type Work } from './work.ts';

/** A ratio of the rates of two parties. */
export interface Ratio {
  ours: string;
  theirs: string;
  /** Null for a ratio that has no target. */
  wanted: number | null;
  /** The row of the table that it is. */
  what: string;
}

/** Parties that get the same load in turn. */
export interface Comparison {
  name: string;
  tool: Work['tool'];
  parties(): Promise<Party[]>;
  ratios: Ratio[];
}

const SQLITE = 'service, SQLite';
const POSTGRES = 'service, PostgreSQL';
const BARE_HTTP = 'bare node:http';
const BARE_HTTP2 = 'bare node:http2';
const GRPC_JS = 'no-op grpc-js';
const CONNECT_NODE = 'no-op connect-node';
const STATEMENTS = 'two statements';
const BARE_JOBS = 'bare node:http with a job in SQLite';
const IRONIC = 'Ironic';

const NODES = 64;
const SMALL = 10;

const UUIDS = Array.from({ length: NODES }, (_, index) => nodeUuid(index));

/**
 * Returns all comparisons.
 * @param large the number of nodes of a large service
 */
export function comparisons(parties: Parties, ironic: Ironic | null, large: number): Comparison[] {
  const restCalls = http1(UUIDS.map((node) => call('rest', node)));
  const all: Comparison[] = [
    {
      name: 'REST methods list',
      tool: 'wrk',
      async parties() {
        const work = http1([listMethods('rest', REDFISH_NODE)]);
        const service = await parties.sqlite();
        return [
          { name: SQLITE, server: service, work },
          { name: BARE_HTTP, server: await parties.bare(service, work), work },
        ];
      },
      ratios: [{ what: 'REST methods list / bare node:http', ours: SQLITE, theirs: BARE_HTTP, wanted: 0.6 }],
    },
    {
      name: 'REST exclusive call, 64 nodes',
      tool: 'wrk',
      async parties() {
        const service = await parties.sqlite();
        return [
          { name: SQLITE, server: service, work: restCalls },
          { name: POSTGRES, server: await parties.postgres(), work: restCalls },
          { name: BARE_HTTP, server: await parties.bare(service, restCalls), work: restCalls },
        ];
      },
      ratios: [
        {
          what: 'REST exclusive call, 64 nodes, SQLite / bare node:http',
          ours: SQLITE,
          theirs: BARE_HTTP,
          wanted: 0.5,
        },
        {
          what: 'REST exclusive call, 64 nodes, PostgreSQL / bare node:http',
          ours: POSTGRES,
          theirs: BARE_HTTP,
          wanted: null,
        },
      ],
    },
    {
      name: 'REST exclusive call, one node',
      tool: 'wrk',
      async parties() {
        const work = http1([call('rest', nodeUuid(0))]);
        const service = await parties.sqlite();
        return [
          { name: SQLITE, server: service, work },
          { name: POSTGRES, server: await parties.postgres(), work },
          { name: BARE_HTTP, server: await parties.bare(service, work), work },
        ];
      },
      ratios: [
        {
          what: 'REST exclusive call, one node, SQLite / bare node:http',
          ours: SQLITE,
          theirs: BARE_HTTP,
          wanted: null,
        },
      ],
    },
    ...grpcComparisons(parties),
    ...(['connect-json', 'connect-proto', 'grpc-web'] as const).map((protocol) => http1Rpc(parties, protocol)),
    // With 16 connections they wait for the disk; with 48 the next jobs are taken up meanwhile.
    ...[16, 48].map((connections) => asynchronous(parties, connections)),
    // With 16 connections both wait for the database; with 48 the processor of the server is the limit.
    ...[16, 48].map((connections) => onPostgres(parties, connections)),
    {
      name: 'growth: exclusive call',
      tool: 'wrk',
      async parties() {
        // A fifth of the nodes, spread over all.
        const some = Array.from({ length: large / 5 }, (_, index) => call('rest', nodeUuid(index * 5)));
        const few = UUIDS.slice(0, SMALL).map((node) => call('rest', node));
        return [
          { name: `${large} nodes`, server: await parties.sqlite(large), work: http1(some) },
          { name: `${SMALL} nodes`, server: await parties.sqlite(SMALL), work: http1(few) },
        ];
      },
      ratios: [
        {
          what: `calls per second at ${large} nodes / at ${SMALL}`,
          ours: `${large} nodes`,
          theirs: `${SMALL} nodes`,
          wanted: 0.95,
        },
      ],
    },
  ];
  return ironic === null ? all : [...all, ...ironicComparisons(parties, ironic)];
}

function asynchronous(parties: Parties, connections: number): Comparison {
  return {
    name: `asynchronous call, 64 nodes, ${connections} connections`,
    tool: 'wrk',
    async parties() {
      // The next call of a node waits for the end of its job.
      const jobs = http1(UUIDS.map(asyncCall), connections);
      const calls = http1(
        UUIDS.map((node) => call('rest', node)),
        connections,
      );
      const server = await parties.sqlite();
      return [
        { name: 'asynchronous, SQLite', server, work: jobs },
        { name: 'synchronous, SQLite', server, work: calls },
        { name: 'asynchronous, PostgreSQL', server: await parties.postgres(), work: jobs },
        { name: BARE_JOBS, server: await parties.bareJobs(server, jobs), work: jobs },
      ];
    },
    ratios: [
      {
        what: `asynchronous call / synchronous call (SQLite, job to its end), ${connections} connections`,
        ours: 'asynchronous, SQLite',
        theirs: 'synchronous, SQLite',
        wanted: 0.5,
      },
      {
        what: `asynchronous call, SQLite / bare node:http with a job in SQLite, ${connections} connections`,
        ours: 'asynchronous, SQLite',
        theirs: BARE_JOBS,
        wanted: null,
      },
    ],
  };
}

function onPostgres(parties: Parties, connections: number): Comparison {
  return {
    name: `PostgreSQL: exclusive call, 64 nodes, ${connections} connections`,
    tool: 'wrk',
    async parties() {
      const work = http1(
        UUIDS.map((node) => call('rest', node)),
        connections,
      );
      const server = await parties.postgres();
      return [
        { name: POSTGRES, server, work },
        { name: STATEMENTS, server: await parties.bareStatements(server, work), work },
      ];
    },
    ratios: [
      {
        what: `exclusive call on PostgreSQL / two bare statements, ${connections} connections`,
        ours: POSTGRES,
        theirs: STATEMENTS,
        wanted: 0.7,
      },
    ],
  };
}

function grpcComparisons(parties: Parties): Comparison[] {
  const compare = (
    name: string,
    rpc: 'CallNodeMethod' | 'ListNodeMethods',
    work: Work,
    what: string,
    wanted: number,
  ) => ({
    name,
    tool: work.tool,
    async parties() {
      const service = await parties.sqlite();
      const grpcJs = await parties.noop('grpc-js', 2, rpc, service, work);
      const connectNode = await parties.noop('connect-node', 2, rpc, service, work);
      return [
        { name: SQLITE, server: service, work },
        { name: GRPC_JS, server: grpcJs, work },
        { name: CONNECT_NODE, server: connectNode, work },
        { name: BARE_HTTP2, server: await parties.bare(service, work), work },
      ];
    },
    ratios: [
      { what: `${what} / no-op grpc-js`, ours: SQLITE, theirs: GRPC_JS, wanted },
      { what: `${what} / no-op connect-node`, ours: SQLITE, theirs: CONNECT_NODE, wanted: null },
      { what: `${what} / bare node:http2`, ours: SQLITE, theirs: BARE_HTTP2, wanted: null },
    ],
  });
  const calls = http2(UUIDS.map((node) => call('grpc', node)));
  const contended = http2([call('grpc', nodeUuid(0))]);
  const list = http2([listMethods('grpc', REDFISH_NODE)]);
  return [
    compare('gRPC exclusive call, 64 nodes', 'CallNodeMethod', calls, 'gRPC exclusive call, 64 nodes', 0.5),
    compare(
      'gRPC exclusive call, one node',
      'CallNodeMethod',
      contended,
      'gRPC exclusive call, one contended node',
      0.4,
    ),
    compare('gRPC ListNodeMethods', 'ListNodeMethods', list, 'gRPC ListNodeMethods', 0.9),
  ];
}

function http1Rpc(parties: Parties, protocol: Exclude<Protocol, 'rest' | 'grpc'>): Comparison {
  const names = { 'connect-json': 'Connect JSON', 'connect-proto': 'Connect binary', 'grpc-web': 'gRPC-Web' };
  const name = `${names[protocol]} exclusive call, 64 nodes`;
  return {
    name,
    tool: 'wrk',
    async parties() {
      const work = http1(UUIDS.map((node) => call(protocol, node)));
      const grpc = http2([call('grpc', nodeUuid(0))]);
      const service = await parties.sqlite();
      return [
        { name: SQLITE, server: service, work },
        { name: CONNECT_NODE, server: await parties.noop('connect-node', 1, 'CallNodeMethod', service, grpc), work },
        { name: BARE_HTTP, server: await parties.bare(service, work), work },
      ];
    },
    ratios: [
      { what: `${name} / no-op connect-node`, ours: SQLITE, theirs: CONNECT_NODE, wanted: null },
      { what: `${name} / bare node:http`, ours: SQLITE, theirs: BARE_HTTP, wanted: null },
    ],
  };
}

function ironicComparisons(parties: Parties, ironic: Ironic): Comparison[] {
  const compare = (name: string, work: Work, wanted: number): Comparison => ({
    name: `${name}, beside Ironic`,
    tool: 'wrk',
    async parties() {
      return [
        { name: SQLITE, server: await parties.sqlite(), work },
        { name: IRONIC, server: ironic.server, work },
      ];
    },
    ratios: [{ what: `${name} / Ironic`, ours: SQLITE, theirs: IRONIC, wanted }],
  });
  return [
    compare('REST list', http1([listMethods('rest', nodeUuid(0))]), 150),
    compare('REST exclusive call', http1(UUIDS.map((node) => call('rest', node))), 200),
  ];
}
