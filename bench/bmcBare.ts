import { Client } from 'undici';

/** One device at one BMC, and the connection that is kept to it. */
export interface BareBmc {
  client: Client;
  /** Path of the virtual media device. */
  device: string;
}

const headers = {
  accept: 'application/json',
  authorization: `Basic ${Buffer.from('u:p').toString('base64')}`,
};

/** Connects to the BMC, as one that is known has a connection. */
export async function connectBare(url: string, device: string): Promise<BareBmc> {
  const bmc = { client: new Client(url, { allowH2: false, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 }), device };
  await ask(bmc, 'GET', device, null);
  return bmc;
}

/**
 * The requests of one `eject_vmedia` and nothing else: no node, lock, job or store, no session, no judging of answers. What
 * this takes more than the ideal is the machine's and the simulated BMCs' share.
 */
export async function ejectBare(bmc: BareBmc): Promise<void> {
  await ask(bmc, 'GET', bmc.device, null);
  await ask(bmc, 'POST', `${bmc.device}/Actions/VirtualMedia.EjectMedia`, '{}');
  await ask(bmc, 'GET', bmc.device, null);
}

async function ask({ client }: BareBmc, method: 'GET' | 'POST', path: string, body: string | null): Promise<void> {
  const type = body === null ? {} : { 'content-type': 'application/json' };
  const answer = await client.request({ method, path, body, headers: { ...headers, ...type } });
  const text = await answer.body.text();
  if (answer.statusCode >= 300) throw new Error(`${method} ${path} was answered ${answer.statusCode}: ${text}`);
  if (text !== '') JSON.parse(text);
}
