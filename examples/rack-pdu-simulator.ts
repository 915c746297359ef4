/**
 * A rack PDU with four outlets (A1 to A4), user `pdu`, password `secret`: just enough of DSP0268's Outlet for
 * rack-driver.ts. `npx node examples/rack-pdu-simulator.ts [PORT]` starts it; default port 8099, loopback only.
 */
import { createServer, type Server } from 'node:http';
import { json } from 'node:stream/consumers';

const OUTLETS = '/redfish/v1/PowerEquipment/RackPDUs/1/Outlets';
const AUTHORIZATION = `Basic ${Buffer.from('pdu:secret').toString('base64')}`;

/** Starts the PDU; port 0 takes any free one. */
export async function startRackPdu(port: number): Promise<{ server: Server; url: string }> {
  const power = new Map([1, 2, 3, 4].map((number) => [`A${number}`, 'On']));

  const server = createServer(async (request, response) => {
    const answer = (status: number, document: object) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document));
    };
    if (request.headers.authorization !== AUTHORIZATION) return answer(401, {});
    const [, id = '', action] =
      /^\/([A-Z]\d)(\/Actions\/Outlet.PowerControl)?$/.exec(pathBelowOutlets(request.url)) ?? [];
    const state = power.get(id);
    if (request.method === 'GET' && request.url === OUTLETS) {
      return answer(200, { Members: [...power.keys()].map((key) => ({ '@odata.id': `${OUTLETS}/${key}` })) });
    }
    if (state === undefined) return answer(404, {});
    if (request.method === 'GET' && action === undefined) {
      const load = state === 'On' ? 140 + Math.round(Math.random() * 40) : 0;
      return answer(200, { Id: id, PowerState: state, PowerWatts: { Reading: load } });
    }
    if (request.method !== 'POST' || action === undefined) return answer(405, {});
    const body = await json(request).catch(() => null);
    const wanted = (body as { PowerState?: unknown } | null)?.PowerState;
    if (wanted !== 'On' && wanted !== 'Off') return answer(400, {});
    power.set(id, wanted);
    console.log(`outlet ${id}: ${wanted}`);
    response.writeHead(204).end();
  });

  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the simulator has no port');
  return { server, url: `http://127.0.0.1:${address.port}` };
}

function pathBelowOutlets(url = ''): string {
  return url.startsWith(OUTLETS) ? url.slice(OUTLETS.length) : '';
}

if (import.meta.main) {
  const { url } = await startRackPdu(Number(process.argv[2] ?? 8099));
  console.log(`a rack PDU listens on ${url}; outlets A1 to A4, user pdu, password secret`);
}
