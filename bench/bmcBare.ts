import { Client } from 'undici';

/** A device of a BMC, and the connection kept to it. */
export interface BareBmc {
  client: Client;
  /** Path of the virtual media device. */
  device: string;
}

const headers = {
  accept: 'application/json',
  authorization: `Basic ${Buffer.from('u:p').toString('base64')}`,
};

/** Connects to the BMC, as to one that was discovered. */
export async function connectBare(url: string, device: string): Promise<BareBmc> {
  const bmc = { client: new Client(url, { allowH2: false, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 }), device };
  await send(bmc, 'GET', device, null);
  return bmc;
}

/**
 * Sends the requests of one `eject_vmedia` without node, lock, job, store, session or checks of the responses. Its time
 * above the ideal is the share of this machine and of the simulated BMCs.
 */
export async function ejectBare(bmc: BareBmc): Promise<void> {
  await send(bmc, 'GET', bmc.device, null);
  await send(bmc, 'POST', `${bmc.device}/Actions/VirtualMedia.EjectMedia`, '{}');
  await send(bmc, 'GET', bmc.device, null);
}

async function send({ client }: BareBmc, method: 'GET' | 'POST', path: string, body: string | null): Promise<void> {
  const type = body === null ? {} : { 'content-type': 'application/json' };
  const response = await client.request({ method, path, body, headers: { ...headers, ...type } });
  const text = await response.body.text();
  if (response.statusCode >= 300) throw new Error(`${method} ${path} returned ${response.statusCode}: ${text}`);
  if (text !== '') JSON.parse(text);
}
