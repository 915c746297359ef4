import { Code, ConnectError } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { JobService, JobState, type WatchJobsResponse } from '../../gen/passthru/v1/job_pb.ts';
import { NodeService, type WatchNodesResponse } from '../../gen/passthru/v1/node_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { WatchMarker } from '../../gen/passthru/v1/watch_pb.ts';
import { CLIENTS, detailOf, type RpcClient } from './clients.ts';
import { startTestService, type TestService } from './service.ts';

const { watchJobs } = JobService.method;
const { watchNodes, createNode, updateNode, deleteNode } = NodeService.method;
const { callNodeMethod } = PassthruService.method;

let service: TestService;

beforeEach(async () => {
  service = await startTestService();
});
afterEach(() => service[Symbol.asyncDispose]());

/** Reads messages until `last` is true of one; includes that one. */
async function readUntil<T>(stream: AsyncIterator<T>, last: (message: T) => boolean): Promise<T[]> {
  const read: T[] = [];
  for (;;) {
    const next = await stream.next();
    if (next.done === true) throw new Error('the stream has ended');
    read.push(next.value);
    if (last(next.value)) return read;
  }
}

const isCurrent = ({ event }: WatchJobsResponse | WatchNodesResponse) =>
  event.case === 'marker' && event.value === WatchMarker.CURRENT;

function nameIn(names: Readonly<Record<string, number>>, value: number): string | undefined {
  return Object.keys(names).find((name) => names[name] === value);
}

function wordOf({ event }: WatchJobsResponse | WatchNodesResponse): string {
  if (event.case === 'marker') return String(nameIn(WatchMarker, event.value));
  if (event.case === 'job')
    return `${event.value.nodeName} ${event.value.revision} ${nameIn(JobState, event.value.state)}`;
  if (event.case === 'node') return [event.value.name, event.value.description].join(' ').trim();
  return String(event.case);
}

describe.each(Object.entries(CLIENTS))('%s', (_, connect) => {
  let client: RpcClient;
  const stop = () => new AbortController();

  beforeEach(() => {
    client = connect(service.url);
  });
  afterEach(() => client[Symbol.dispose]());

  test('a watch of jobs tells the current state, then each change once, and goes on after a cursor', async () => {
    await service.createNode('a');
    await service.createNode('b');
    await client.unary(callNodeMethod, { node: 'a', method: 'job_of_two_steps' });
    const first = stop();
    const stream = client.stream(watchJobs, {}, { signal: first.signal })[Symbol.asyncIterator]();
    const current = await readUntil(stream, isCurrent);
    expect(current.map(wordOf)).toEqual(['a 1 RUNNING', 'CURRENT']);
    expect(current.map(({ cursor }) => cursor !== '')).toEqual([false, true]);
    await client.unary(callNodeMethod, { node: 'b', method: 'job_of_two_steps' });
    const [begun] = await readUntil(stream, () => true);
    expect(wordOf(begun!)).toBe('b 1 RUNNING');
    first.abort();
    await expect(stream.next()).rejects.toMatchObject({ code: Code.Canceled });

    const second = stop();
    const resumed = client.stream(
      watchJobs,
      { cursor: current.at(-1)!.cursor, nodes: ['b'] },
      { signal: second.signal },
    );
    expect((await readUntil(resumed[Symbol.asyncIterator](), () => true)).map(wordOf)).toEqual(['b 1 RUNNING']);
    second.abort();
  });

  test('a watch of nodes tells the current state, then each change once, also what no longer matches', async () => {
    await service.createNode('a');
    const watching = stop();
    const stream = client.stream(watchNodes, { driver: 'test' }, { signal: watching.signal })[Symbol.asyncIterator]();
    expect((await readUntil(stream, isCurrent)).map(wordOf)).toEqual(['a', 'CURRENT']);
    await client.unary(createNode, { node: { name: 'b', driver: 'test', driverInfo: { password: 'secret' } } });
    await client.unary(updateNode, {
      node: 'a',
      values: { description: 'new' },
      updateMask: { paths: ['description'] },
    });
    await client.unary(deleteNode, { node: 'b' });
    const told = await readUntil(stream, ({ event }) => event.case === 'removedUuid');
    expect(told.map(wordOf)).toEqual(['b', 'a', 'a new', 'a new', 'b', 'removedUuid']);
    expect(told[0]?.event).toMatchObject({ value: { driverInfo: { password: '******' } } });
    watching.abort();
  });

  test.each([
    ['no cursor', 'x'],
    ['a cursor of another watch', null],
    ['a long text', 'A'.repeat(10_000)],
  ])('%s is refused, and the field is named', async (_, given) => {
    let cursor = given;
    if (cursor === null) {
      const watching = stop();
      const stream = client.stream(watchNodes, {}, { signal: watching.signal })[Symbol.asyncIterator]();
      cursor = (await readUntil(stream, isCurrent)).at(-1)!.cursor;
      watching.abort();
    }
    const stream = client.stream(watchJobs, { cursor })[Symbol.asyncIterator]();
    const error = ConnectError.from(await stream.next().catch((thrown) => thrown));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(detailOf(error).violations[0]?.field).toBe('cursor');
  });

  test('a state that is none is refused', async () => {
    const stream = client.stream(watchJobs, { state: 99 as JobState })[Symbol.asyncIterator]();
    const error = ConnectError.from(await stream.next().catch((thrown) => thrown));
    expect([error.code, detailOf(error).violations[0]?.field]).toEqual([Code.InvalidArgument, 'state']);
  });

  test('watches end as unavailable when the service stops, so that clients resume elsewhere', async () => {
    const stream = client.stream(watchJobs, {})[Symbol.asyncIterator]();
    await readUntil(stream, isCurrent);
    const next = stream.next().catch((thrown) => ConnectError.from(thrown).code);
    service.listener.drain();
    expect(await next).toBe(Code.Unavailable);
  });
});

test('a watch with a cursor of another store is told to reset', async () => {
  await using other = await startTestService();
  const client = CLIENTS['gRPC by connect-node']!(service.url);
  const elsewhere = CLIENTS['gRPC by connect-node']!(other.url);
  const stop = new AbortController();
  await service.createNode('a');
  const { signal } = stop;
  const first = await readUntil(elsewhere.stream(watchNodes, {}, { signal })[Symbol.asyncIterator](), isCurrent);
  const stream = client.stream(watchNodes, { cursor: first.at(-1)!.cursor }, { signal });
  const told = await readUntil(stream[Symbol.asyncIterator](), isCurrent);
  expect(told.map(wordOf)).toEqual(['RESET', 'a', 'CURRENT']);
  stop.abort();
});
