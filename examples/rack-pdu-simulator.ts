/**
 * Simulates a rack PDU with four outlets (A1 to A4), user `pdu`, password `secret`: enough of DSP0268's Outlet for
 * rack-driver.ts. Start it with `npx node examples/rack-pdu-simulator.ts [PORT]`; default port 8099, loopback only.
 */
import { createServer, type Server } from 'node:http';
import { json } from 'node:stream/consumers';

const OUTLETS = '/redfish/v1/PowerEquipment/RackPDUs/1/Outlets';
const AUTHORIZATION = `Basic ${Buffer.from('pdu:secret').toString('base64')}`;

/** Starts the PDU; port 0 means any free port. */
export async function startRackPdu(port: number): Promise<{ server: Server; url: string }> {
  const power = new Map([1, 2, 3, 4].map((number) => [`A${number}`, 'On']));

  const server = createServer(async (request, response) => {
    const respond = (status: number, document: object) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document));
    };
    if (request.headers.authorization !== AUTHORIZATION) return respond(401, {});
    const [, id = '', action] =
      /^\/([A-Z]\d)(\/Actions\/Outlet.PowerControl)?$/.exec(pathBelowOutlets(request.url)) ?? [];
    const state = power.get(id);
    if (request.method === 'GET' && request.url === OUTLETS) {
      return respond(200, { Members: [...power.keys()].map((key) => ({ '@odata.id': `${OUTLETS}/${key}` })) });
    }
    if (state === undefined) return respond(404, {});
    if (request.method === 'GET' && action === undefined) {
      const load = state === 'On' ? 140 + Math.round(Math.random() * 40) : 0;
      return respond(200, { Id: id, PowerState: state, PowerWatts: { Reading: load } });
    }
    if (request.method !== 'POST' || action === undefined) return respond(405, {});
    const body = await json(request).catch(() => null);
    const requested = (body as { PowerState?: unknown } | null)?.PowerState;
    if (requested !== 'On' && requested !== 'Off') return respond(400, {});
    power.set(id, requested);
    console.log(`outlet ${id}: ${requested}`);
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
  console.log(`rack PDU listening on ${url}; outlets A1 to A4, user pdu, password secret`);
}
