import { expect, test } from 'vitest';
import { createFakeHardwareType } from '../../src/drivers/fake/fakeHardwareType.ts';
import { createIpmiHardwareType } from '../../src/drivers/ipmi/ipmiHardwareType.ts';
import { send } from '../rest/client.ts';
import { runService } from '../service.ts';
import { classify, readRecording } from './comparison.ts';
import { EXPECTED } from './expected.ts';
import { REQUESTS } from './requests.ts';
import { shown } from './response.ts';

const { responses, ironic, api } = readRecording();

test(`no response is worse than that of Ironic ${ironic} (API ${api})`, { timeout: 120_000 }, async () => {
  expect(responses).toHaveLength(REQUESTS.length);
  const service = await runService({
    hardwareTypes: [createFakeHardwareType({ vendorDelay: 0 }), createIpmiHardwareType()],
  });
  const worse: string[] = [];
  const counts: Record<string, number> = {};
  const unused = new Set(EXPECTED);
  for (const [index, request] of REQUESTS.entries()) {
    const { name, ...sent } = request;
    const theirs = responses[index]!;
    const ours = shown(await send(service.url, sent), service.url);
    const { class: kind, why, expected } = classify(request, theirs, ours);
    counts[kind] = (counts[kind] ?? 0) + 1;
    if (expected !== undefined) unused.delete(expected);
    if (kind === 'worse') worse.push(`${index} ${name}: ${why}`);
  }
  await service.close();
  expect(worse).toEqual([]);
  expect([...unused].map(({ why }) => why)).toEqual([]);
  // As docs/compatibility.md has them.
  expect(counts).toEqual({ same: 1297, neutral: 755, better: 33, scope: 15 });
});
