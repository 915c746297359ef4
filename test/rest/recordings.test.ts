import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RecordedService, startRecordedService } from './recordedNodes.ts';
import { readExchanges, replay } from './replay.ts';

/** Exchanges in each recording, so that a lost file does not pass. */
const RECORDINGS = { 'transcripts.json': 84, 'node-transcripts.json': 42, 'cli-transcripts.json': 28 };

describe.each(Object.entries(RECORDINGS))('the recorded exchanges of %s', (file, count) => {
  let service: RecordedService;
  // Each recording was made in order, on the same eight nodes.
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
    expect(await replay(service, exchange)).toBeNull();
  });
});
