import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { loadCapture } from '../../src/sim/index.ts';
import { needs } from '../needs.ts';
import { outcomesOf, probe, withBmc, withCapture } from '../redfish/probe/probing.ts';

/** The captures in this folder: machines that somebody has, as `passthru probe` wrote them. */
const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.json'));

/** Recorded by others. They are not part of the project; they are beside it. */
const SHARED = fileURLToPath(new URL('../../../shared/bmc-captures/', import.meta.url));
const shared = existsSync(SHARED) ? readdirSync(SHARED).filter((file) => file.endsWith('.json')) : [];

/** Ends of a method that say what the machine said. */
const TOLD = /^(bmc|subscription)_/;

test('there is a capture', () => {
  expect(files).not.toEqual([]);
});

describe.each(files)('the machine of test/captures/%s', (file) => {
  const path = join(import.meta.dirname, file);
  const capture = JSON.parse(readFileSync(path, 'utf8')) as JsonObject;

  test('ends every method with a result, or with what the BMC said', async () => {
    const outcomes = await withBmc({ profile: await loadCapture(path) }, (bmc) => outcomesOf(bmc));
    for (const [method, outcome] of Object.entries(outcomes)) {
      if (typeof outcome === 'string' && /^[a-z]+_[a-z_]+$/.test(outcome))
        expect([method, outcome]).toEqual([method, expect.stringMatching(TOLD)]);
    }
    // What was created was deleted.
    expect(outcomes.left).toEqual(outcomes.get_all_subscriptions);
  });

  test('is told to be the same when it is probed again', async () => {
    const { profile } = { profile: await loadCapture(path) };
    const first = await withBmc({ profile }, (bmc) => probe(bmc));
    const second = await withCapture(first.capture, (bmc) => probe(bmc));
    expect(second.report.kinds).toEqual(first.report.kinds);
    expect(second.report.methods).toEqual(first.report.methods);
  });

  test('has nothing that its sender may have overlooked', () => {
    const text = JSON.stringify(capture);
    const addresses = [...text.matchAll(/(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])/g)].map(([address]) => address);
    expect(addresses.filter((address) => !/^(192\.0\.2|198\.18|0\.0\.0\.0|\d+\.0\d)/.test(address))).toEqual([]);
    expect(text.match(/(?<![\da-f])(?!02:00)[\da-f]{2}(:[\da-f]{2}){5}(?![\da-f:])/gi)).toBeNull();
    expect(text.match(/[\w.]+@(?!odata|Redfish|Message|passthru|mail\.example)[\w-]+\.\w+/g)).toBeNull();
    expect(text.match(/-----BEGIN/)).toBeNull();
  });
});

describe(
  'a machine that others have recorded',
  needs(shared.length === 0 ? '../shared/bmc-captures beside the project' : null),
  () => {
    test.each(shared)('%s is probed as it was recorded, and its capture works as it does', async (file) => {
      const profile = await loadCapture(join(SHARED, file));
      const { capture, report } = await withBmc({ profile }, (bmc) => probe(bmc));
      expect(report.stopped).toBeNull();
      const twin = await withCapture(capture, (bmc) => outcomesOf(bmc));
      expect(twin).toEqual(await withBmc({ profile }, (bmc) => outcomesOf(bmc)));
      // Served and probed again, nothing changes but the day.
      const again = await withCapture(capture, (bmc) => probe(bmc));
      expect(again.report.kinds).toEqual(report.kinds);
      const shapes = [capture, again.capture].map(({ '@passthru.capture': _, ...documents }) => shapesOf(documents));
      expect(shapes[1]).toEqual(shapes[0]);
    });
  },
);

/** Returns documents without the texts that redaction replaces: names, numbers and what is true or not. */
function shapesOf(documents: JsonObject): string[] {
  const shape = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shape);
    if (typeof value === 'object' && value !== null) {
      return Object.entries(value).map(([name, member]) => [name.replace(/^text-\d+$/, 'text'), shape(member)]);
    }
    return typeof value === 'string' ? 'text' : value;
  };
  return Object.values(documents)
    .map((document) => JSON.stringify(shape(document)))
    .sort();
}
