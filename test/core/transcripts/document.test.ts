import { afterEach, beforeEach, expect, test } from 'vitest';
import { PassthruError } from '../../../src/core/errors.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import type { Recorder } from '../../../src/core/transcript.ts';
import { MAX_BYTES, MAX_EXCHANGES } from '../../../src/core/transcripts/firstAndLast.ts';
import { nodeCall, operator, startCore, type TestCore } from '../harness.ts';

const PASSWORD = 'ca/lv"in\n104';

let service: TestCore;
let calls = 0;
beforeEach(async () => {
  calls = 0;
  service = await startCore([]);
  const driverInfo = { password: PASSWORD, address: `https://u:${encodeURIComponent('url-103')}@bmc.example` };
  await service.core.nodes.create({ name: 'n1', driver: 'gated', driverInfo }, operator);
});
afterEach(async () => {
  await service.core.shutdown(0);
  await service.store.close();
});

/** Fails a call whose handler records with `record`, and returns the text of its transcript. */
async function recorded(record: (recorder: Recorder) => void, args: JsonObject = {}, message = 'no'): Promise<string> {
  const call = service.core.callNodeMethod(nodeCall('exclusive', { arguments: args }));
  const { task, fail } = await service.hardware.call(calls++);
  record(task.recorder as Recorder);
  fail(new PassthruError('bmc_refused', message));
  const error = (await call.catch((thrown: unknown) => thrown)) as PassthruError;
  return service.core.jobs.transcript(error.transcriptId as string, operator);
}

/** Returns the numbers of the exchanges that were kept, and how many were omitted. */
async function numbers(record: (recorder: Recorder) => void): Promise<{ kept: number[]; omitted: number }> {
  const { exchanges, omitted } = JSON.parse(await recorded(record));
  return { kept: exchanges.map(({ number }: { number: number }) => number), omitted };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

test('keeps all exchanges up to the bound', async () => {
  const found = await numbers((recorder) => {
    for (const number of range(0, MAX_EXCHANGES)) recorder.add(1, () => ({ number }));
  });
  expect(found).toEqual({ kept: range(0, MAX_EXCHANGES), omitted: 0 });
});

test('keeps the first and the last of too many exchanges, and makes no entry of those between', async () => {
  let made = 0;
  const found = await numbers((recorder) => {
    for (const number of range(0, 5000)) recorder.add(1, () => ({ number, made: ++made }));
  });
  const half = MAX_EXCHANGES / 2;
  expect(found).toEqual({ kept: [...range(0, half), ...range(5000 - half, 5000)], omitted: 5000 - MAX_EXCHANGES });
  expect(made).toBe(MAX_EXCHANGES);
});

test.each([
  ['says how large they are', (text: string) => text.length],
  ['says that they are small', () => 1],
  ['says nonsense about their size', () => Number.NaN],
])('keeps about a megabyte of large exchanges when the driver %s', async (_, sizeOf) => {
  const large = 'x'.repeat(100_000);
  let text = '';
  const found = await numbers((recorder) => {
    for (const number of range(0, 40)) recorder.add(sizeOf(large), () => ({ number, large }));
  });
  expect(found).toEqual({ kept: [...range(0, 5), ...range(35, 40)], omitted: 30 });
  text = await recorded((recorder) => {
    for (const number of range(0, 40)) recorder.add(sizeOf(large), () => ({ number, large }));
  });
  expect(text.length).toBeLessThan(MAX_BYTES + 10_000);
});

test('leaves out an exchange beyond the bound, and context beyond it', async () => {
  const huge = 'x'.repeat(MAX_BYTES);
  const text = await recorded((recorder) => {
    recorder.context(() => ({ huge }));
    recorder.add(10, () => ({ number: 0 }));
    recorder.add(MAX_BYTES, () => ({ huge }));
    recorder.add(10, () => ({ number: 2 }));
  });
  expect(JSON.parse(text)).toMatchObject({ context: {}, exchanges: [{ number: 0 }, { number: 2 }], omitted: 1 });
});

test('counts what cannot be shown as omitted', async () => {
  const circular: { self?: unknown } = {};
  circular.self = circular;
  const text = await recorded((recorder) => {
    recorder.context(() => {
      throw new Error('no context');
    });
    recorder.add(1, () => ({ number: 1 }));
    recorder.add(1, () => {
      throw new Error('no entry');
    });
    recorder.add(1, () => 'no object' as never);
    recorder.add(1, () => ({ big: 1n as never }));
    recorder.add(1, () => ({ number: 2, nul: '\0\ud800' }));
  });
  expect(JSON.parse(text)).toMatchObject({
    context: {},
    exchanges: [{ number: 1 }, { number: 2, nul: '\0\ud800' }],
    omitted: 3,
  });
});

test('what a handler adds after its call has ended is not kept', async () => {
  let late: Recorder | undefined;
  const text = await recorded((recorder) => {
    late = recorder;
    recorder.add(1, () => ({ number: 1 }));
  });
  late?.add(1, () => ({ number: 2 }));
  expect(JSON.parse(text).exchanges).toEqual([{ number: 1 }]);
});

test('no secret of the node or of the call is in a transcript, wherever a driver puts it', async () => {
  const secrets = [PASSWORD, 'url-103', 'argument-105', 'header-106'];
  const everywhere = (secret: string): JsonObject => ({
    text: secret,
    within: `said '${secret}' twice: ${secret}`,
    json: JSON.stringify({ a: secret }),
    url: `/redfish?x=${encodeURIComponent(secret)}`,
    list: [[secret]],
    [`name ${secret}`]: 1,
    deep: range(0, 40).reduce((inner: JsonObject) => ({ inner }), { secret }),
  });
  const args = { any: { api_key: 'argument-105', HttpHeaders: [{ 'X-Any': 'header-106' }] } };
  const text = await recorded(
    (recorder) => {
      recorder.context(() => everywhere(PASSWORD));
      for (const secret of secrets) recorder.add(1, () => everywhere(secret));
    },
    args,
    `refused ${PASSWORD} and argument-105`,
  );
  for (const secret of secrets) {
    for (const form of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]) {
      expect([form, text.includes(form)]).toEqual([form, false]);
    }
  }
  expect(JSON.parse(text)).toMatchObject({
    arguments: { any: { api_key: '******', HttpHeaders: '******' } },
    outcome: { error: 'refused ****** and ******' },
    exchanges: secrets.map(() => ({ text: '******', list: [['******']], 'name ******': 1 })),
    omitted: 0,
  });
});

test('a secret that the service does not know is masked by its name or its form', async () => {
  const text = await recorded((recorder) => {
    recorder.add(1, () => ({
      headers: { 'x-auth-token': 'unknown-1', 'set-cookie': ['unknown-2'], Authorization: 'Basic unknown-3' },
      body: { Password: 'unknown-4', Nested: { Token: { value: 'unknown-5' } }, Empty: { Password: null } },
      raw: '{"Password": "unknown-6", "Name": "kept"} https://u:unknown-7@bmc/ Bearer unknown-8',
    }));
  });
  expect(text).not.toContain('unknown');
  expect(text).toContain('kept');
  expect(JSON.parse(text).exchanges[0].body.Empty).toEqual({ Password: null });
});
