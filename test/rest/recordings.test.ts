import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RecordedService, startRecordedService } from './recordedNodes.ts';
import { readExchanges, replay } from './replay.ts';

/** How many exchanges each recording has, so that a lost file is no success. */
const RECORDINGS = { 'transcripts.json': 84, 'node-transcripts.json': 42, 'cli-transcripts.json': 28 };

describe.each(Object.entries(RECORDINGS))('the recorded exchanges of %s', (file, count) => {
  let service: RecordedService;
  // Each recording began with the same eight nodes and goes through them in order.
  beforeAll(async () => {
    service = await startRecordedService();
  });
  afterAll(() => service.close());

  const exchanges = readExchanges(file);
  test(`are ${count}`, () => expect(exchanges).toHaveLength(count));

  const named = exchanges.map((exchange, index) => {
    const { name, request } = exchange;
    return { name: `${index + 1}: ${name ?? `${request.method} ${request.path}`}`, exchange };
  });
  test.each(named)('$name', async ({ exchange }) => {
    expect(await replay(service.url, exchange, service.bmc)).toBeNull();
  });
});
