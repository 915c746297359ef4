import type { SimulatedBmc } from '../../../src/sim/index.ts';

/** A message of a stream. */
export interface Message {
  id: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of many shapes
  json: any;
}

/** An open stream of Server-Sent Events. */
export interface OpenStream extends AsyncDisposable {
  status: number;
  headers: Headers;
  /** Returns the next message; undefined when the stream has ended. */
  next(): Promise<Message | undefined>;
}

/** Opens a stream at a BMC. */
export async function openStream(
  bmc: SimulatedBmc,
  path = '/redfish/v1/EventService/SSE',
  headers: Record<string, string> = {},
): Promise<OpenStream> {
  const abort = new AbortController();
  const response = await fetch(`${bmc.url}${path}`, {
    headers: { Accept: 'text/event-stream', Authorization: `Basic ${btoa('u:p')}`, ...headers },
    signal: abort.signal,
  });
  const parts = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = '';
  const next = async (): Promise<Message | undefined> => {
    while (!buffer.includes('\n\n')) {
      const { done, value } = (await parts?.read()) ?? { done: true, value: '' };
      if (done) return undefined;
      buffer += value;
    }
    const end = buffer.indexOf('\n\n');
    const lines = buffer.slice(0, end).split('\n');
    buffer = buffer.slice(end + 2);
    const field = (name: string) =>
      lines.flatMap((line) => (line.startsWith(`${name}: `) ? [line.slice(name.length + 2)] : []));
    return { id: field('id')[0] ?? '', json: JSON.parse(field('data').join('\n')) };
  };
  return {
    status: response.status,
    headers: response.headers,
    next,
    [Symbol.asyncDispose]: async () => abort.abort(),
  };
}
