import { nodeUuid } from './parties.ts';
import { adoptServer, type Server } from './servers.ts';

const NODES = 64;
const HEADERS = { 'X-OpenStack-Ironic-API-Version': '1.80', 'Content-Type': 'application/json' };

/** An Ironic that runs already, with nodes for the benchmark. */
export interface Ironic {
  server: Server;
  removeNodes(): Promise<void>;
}

/**
 * Enrols nodes in the Ironic at `BENCH_IRONIC_URL`, whose processes (API and conductor) are `BENCH_IRONIC_PIDS`, separated by
 * commas. It must run without authentication. Returns null when the first is not set.
 */
export async function findIronic(): Promise<Ironic | null> {
  const { BENCH_IRONIC_URL: url, BENCH_IRONIC_PIDS: pids = '' } = process.env;
  if (url === undefined) return null;
  if (!/^\d+(,\d+)*$/.test(pids)) throw new Error('BENCH_IRONIC_PIDS must list the processes of Ironic: 123,124');
  const server = adoptServer(url, pids.split(',').map(Number));
  for (let index = 0; index < NODES; index++) {
    const node = { uuid: nodeUuid(index), name: `bench-${index}`, driver: 'fake-hardware', vendor_interface: 'fake' };
    const { status } = await fetch(`${url}/v1/nodes`, { method: 'POST', headers: HEADERS, body: JSON.stringify(node) });
    // 409: of an earlier run that was cut off.
    if (status !== 201 && status !== 409) throw new Error(`Ironic returned ${status} for a new node`);
  }
  return {
    server,
    async removeNodes() {
      for (let index = 0; index < NODES; index++) {
        await fetch(`${url}/v1/nodes/${nodeUuid(index)}`, { method: 'DELETE', headers: HEADERS });
      }
    },
  };
}
