import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runTool } from './tools.ts';
import type { Load, Sample, Work } from './work.ts';

/**
 * Loads the server at `url` by wrk for `seconds`.
 * @param expected what each response has to be; compared by wrk itself, which costs it time: for rounds that warm up
 */
export async function runWrk(
  url: string,
  work: Work,
  seconds: number,
  folder: string,
  expected: Sample | null,
): Promise<Load & { bytes: number }> {
  const script = join(folder, 'wrk.lua');
  writeFileSync(script, luaScript(work, expected), 'latin1');
  const args = ['-t1', `-c${work.connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', script, url];
  const printed = await runTool('wrk', args, seconds);
  const line = /^RESULT (.*)$/m.exec(printed)?.[1];
  if (line === undefined) throw new Error(`wrk printed no result:\n${printed}`);
  const result = JSON.parse(line);
  const faults = Object.entries(result.errors as Record<string, number>)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${count} × ${kind}`);
  if (result.wrong > 0) faults.push(`${result.wrong} × another response than the first`);
  return {
    requests: result.requests,
    seconds: result.microseconds / 1e6,
    p99: result.p99 / 1000,
    faults,
    bytes: result.bytes,
  };
}

/** One request is wrk's own constant, which costs it least; several are made once and sent in turn. */
function luaScript({ requests }: Work, expected: Sample | null): string {
  const tables = requests.map(
    ({ method, path, headers, body }) =>
      `{${luaString(method)}, ${luaString(path)}, {${Object.entries(headers)
        .map(([name, value]) => `[${luaString(name)}] = ${luaString(value)}`)
        .join(', ')}}, ${body.length === 0 ? 'nil' : luaString(body)}}`,
  );
  const check =
    expected === null
      ? ''
      : `
function response(status, headers, body)
  if status ~= ${expected.status} or body ~= ${luaString(expected.body)} then wrong = wrong + 1 end
end`;
  const sending =
    requests.length === 1
      ? 'wrk.method, wrk.path, wrk.headers, wrk.body = unpack(list[1], 1, 4)'
      : `
local ready, last = {}, 0
function init()
  for index, each in ipairs(list) do ready[index] = wrk.format(unpack(each, 1, 4)) end
end
function request()
  last = last % #ready + 1
  return ready[last]
end`;
  return `
local list = {${tables.join(',\n')}}
local threads = {}
wrong = 0
function setup(thread) table.insert(threads, thread) end
${sending}
${check}
function done(summary, latency)
  local sum = 0
  for _, thread in ipairs(threads) do sum = sum + (thread:get('wrong') or 0) end
  local e = summary.errors
  print(string.format('RESULT {"requests":%d,"microseconds":%d,"bytes":%d,"p99":%d,"wrong":%d,' ..
    '"errors":{"no connection":%d,"read":%d,"write":%d,"status of 400 or more":%d,"timeout":%d}}',
    summary.requests, summary.duration, summary.bytes, latency:percentile(99), sum,
    e.connect, e.read, e.write, e.status, e.timeout))
end
`;
}

/** Returns a Lua string of these bytes. */
function luaString(bytes: string | Buffer): string {
  const escaped = Array.from(Buffer.from(bytes), (byte) =>
    byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
      ? String.fromCharCode(byte)
      : `\\${String(byte).padStart(3, '0')}`,
  );
  return `"${escaped.join('')}"`;
}
