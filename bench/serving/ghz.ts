import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runTool } from './tools.ts';
import type { Load, Work } from './work.ts';

const PROTO = fileURLToPath(new URL('../../proto', import.meta.url));

/** Calls the RPC of `work` at `url` by ghz for `seconds`, with its messages in turn. */
export async function runGhz(url: string, work: Work, seconds: number, folder: string): Promise<Load> {
  const { requests, connections, streams } = work;
  const messages = join(folder, 'messages');
  writeFileSync(messages, lengthDelimited(requests.map(({ body }) => body.subarray(5))));
  const args = [
    '--insecure',
    ['--proto', 'passthru/v1/passthru.proto', '--import-paths', PROTO],
    ['--call', requests[0]!.path.slice(1), '--binary-file', messages],
    ['--connections', String(connections), '--concurrency', String(connections * streams)],
    ['--duration', `${seconds}s`, '--duration-stop', 'wait', '--format', 'json'],
    new URL(url).host,
  ].flat();
  const result = JSON.parse(await runTool('ghz', args, seconds));
  const faults = Object.entries((result.statusCodeDistribution ?? {}) as Record<string, number>)
    .filter(([status]) => status !== 'OK')
    .map(([status, count]) => `${count} × ${status}`);
  const p99 = result.latencyDistribution?.find((each: { percentage: number }) => each.percentage === 99)?.latency;
  // In nanoseconds.
  return { requests: result.count, seconds: result.total / 1e9, p99: p99 === undefined ? null : p99 / 1e6, faults };
}

/** Returns messages with their lengths before them, as ghz reads several of a file. */
function lengthDelimited(messages: Buffer[]): Buffer {
  return Buffer.concat(
    messages.flatMap((message) => {
      if (message.length > 127) throw new Error('the length takes more than one byte');
      return [Buffer.from([message.length]), message];
    }),
  );
}
