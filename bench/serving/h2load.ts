import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runTool } from './tools.ts';
import type { Load, Sample, Work } from './work.ts';

/** Loads the server at `url` by h2load for `seconds` with the one request of `work`. */
export async function runH2load(
  url: string,
  { requests, connections, streams }: Work,
  seconds: number,
  folder: string,
  expected: Sample,
): Promise<Load> {
  const { path, headers, body } = requests[0]!;
  const data = join(folder, 'body');
  writeFileSync(data, body);
  const sent = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const args = ['-t1', `-c${connections}`, `-m${streams}`, '-D', String(seconds), '-d', data, ...sent, url + path];
  const printed = await runTool('h2load', args, seconds);
  const [, done, succeeded] = /, (\d+) done, (\d+) succeeded/.exec(printed)?.map(Number) ?? [];
  const bytes = Number(/\((\d+)\) data$/m.exec(printed)?.[1]);
  if (done === undefined || succeeded === undefined || Number.isNaN(bytes)) {
    throw new Error(`h2load printed no result:\n${printed}`);
  }
  const faults: string[] = [];
  if (succeeded !== done) faults.push(`${done - succeeded} of ${done} failed`);
  // A failed gRPC call has status 200 and no message. Responses that were under way at the end count in the bytes alone.
  const missing = expected.body.length - bytes / done;
  if (missing > 0.001 * expected.body.length) faults.push('some responses had no message');
  return { requests: done, seconds, p99: null, faults };
}
