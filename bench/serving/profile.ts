// Shows where the processor time of a request goes, by V8's profiler: npm run bench:profile -- [SECONDS [WORD...]]
// WORDs choose the paths that have one of them in their name.
// Prints for each path the parts of the program and the functions that take most, in µs of one request. The profiler itself
// takes time: compare the shares, not the sums, with the benchmark.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { leaveServerCore } from './machine.ts';
import { nodeUuid, Parties, REDFISH_NODE } from './parties.ts';
import { asyncCall, call, listMethods } from './requests.ts';
import { measure } from './rounds.ts';
import { findTools } from './tools.ts';
import { http1, http2, type Work } from './work.ts';

const FUNCTIONS = 25;
const [seconds = '5', ...words] = process.argv.slice(2);
const SECONDS = Number(seconds);

const nodes = Array.from({ length: 64 }, (_, index) => nodeUuid(index));
const PATHS: Record<string, Work> = {
  'REST methods list': http1([listMethods('rest', REDFISH_NODE)]),
  'REST exclusive call, 64 nodes': http1(nodes.map((node) => call('rest', node))),
  'gRPC exclusive call, 64 nodes': http2(nodes.map((node) => call('grpc', node))),
  'asynchronous call (REST), with its job to the end': http1(nodes.map(asyncCall)),
};

/** A profile as `--cpu-prof` writes it. */
interface Profile {
  /** In µs of the monotonic clock, which all processes share. */
  startTime: number;
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

const unable = leaveServerCore();
if (unable !== null) throw new Error(unable);
const tools = await findTools();
for (const [name, work] of Object.entries(PATHS)) {
  if (tools[work.tool] === undefined) continue;
  if (words.length > 0 && !words.some((word) => name.toLowerCase().includes(word.toLowerCase()))) continue;
  const folder = mkdtempSync(join(tmpdir(), 'passthru-profile-'));
  const parties = new Parties(folder, ['--cpu-prof', `--cpu-prof-dir=${folder}`]);
  const party = { name, server: await parties.sqlite(), work };
  const [row] = await measure(name, [party], { rounds: 1, seconds: SECONDS, warmUp: 3, folder });
  const end = monotonicTime();
  await parties.stop();
  const file = readdirSync(folder).find((each) => each.endsWith('.cpuprofile'))!;
  print(name, JSON.parse(readFileSync(join(folder, file), 'utf8')), row!.cpu, end);
  rmSync(folder, { recursive: true });
}

/** Prints the time of the round, which ended at `end`: what was before is the start and the compilation. */
function print(name: string, profile: Profile, cpu: number, end: number): void {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const byPart = new Map<string, number>();
  const byFunction = new Map<string, number>();
  let total = 0;
  let at = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    const { functionName, url, lineNumber } = frames.get(id)!;
    const time = profile.timeDeltas[index]!;
    at += time;
    if (functionName === '(idle)' || at > end || at < end - SECONDS * 1e6) continue;
    const part = partOf(functionName, url);
    total += time;
    add(byPart, part, time);
    const place = url === '' ? '' : ` ${shortUrl(url)}:${lineNumber + 1}`;
    add(byFunction, `${functionName || '(anonymous)'}${place}`, time);
  }
  const rows = (times: Map<string, number>, most: number) =>
    [...times]
      .toSorted(([, a], [, b]) => b - a)
      .slice(0, most)
      .map(
        ([what, time]) => `| ${what} | ${((time / total) * 100).toFixed(1)} % | ${((time / total) * cpu).toFixed(1)} |`,
      );
  console.log(`### ${name}: ${cpu.toFixed(0)} µs of processor time with the profiler\n`);
  console.log(['| part | share | µs |', '| --- | --- | --- |', ...rows(byPart, 15)].join('\n'), '\n');
  console.log(['| function | share | µs |', '| --- | --- | --- |', ...rows(byFunction, FUNCTIONS)].join('\n'), '\n');
}

function add(times: Map<string, number>, key: string, time: number): void {
  times.set(key, (times.get(key) ?? 0) + time);
}

/** In µs. */
function monotonicTime(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** Returns the folder of `src/`, the package, or the part of Node that a function belongs to. */
function partOf(functionName: string, url: string): string {
  if (functionName.startsWith('(')) return functionName;
  if (url === '') return `native: ${functionName}`;
  const own = /\/src\/([^/]+)\/(?:([^/]+)\/)?/.exec(url);
  if (own !== null && !url.includes('/node_modules/'))
    return `src/${own[1]}${own[2] === undefined ? '' : `/${own[2]}`}`;
  const dependency = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
  if (dependency !== undefined) return dependency;
  return `node:${/^node:(?:internal\/)?([^/]+)/.exec(url)?.[1] ?? url}`;
}

function shortUrl(url: string): string {
  return url.replace(/^.*\/node_modules\//, '').replace(/^.*\/src\//, 'src/');
}
