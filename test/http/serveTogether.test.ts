import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, test } from 'vitest';
import { serveTogether } from '../../src/http/serveTogether.ts';

describe('requests that are served together', () => {
  /** Serves `count` requests of one turn in two steps, and returns the steps in their order. */
  async function serve(count: number): Promise<string[]> {
    const steps: string[] = [];
    const served = Array.from({ length: count }, async (_, request) => {
      await serveTogether();
      steps.push(`a${request}`);
      await null;
      steps.push(`b${request}`);
    });
    expect(steps).toEqual([]);
    await Promise.all(served);
    return steps;
  }

  test('take each step one after the other', async () => {
    expect(await serve(1)).toEqual(['a0', 'b0']);
    expect(await serve(3)).toEqual(['a0', 'a1', 'a2', 'b0', 'b1', 'b2']);
  });

  test('are no more than 32, and the others follow in the same turn', async () => {
    const steps = await serve(70);
    const expected = [
      [0, 32],
      [32, 64],
      [64, 70],
    ].flatMap(([from = 0, to = 0]) => {
      const requests = Array.from({ length: to - from }, (_, index) => from + index);
      return [...requests.map((request) => `a${request}`), ...requests.map((request) => `b${request}`)];
    });
    expect(steps).toEqual(expected);
  });

  test('keep their own context', async () => {
    const context = new AsyncLocalStorage<number>();
    const seen = await Promise.all(
      Array.from({ length: 40 }, (_, request) =>
        context.run(request, async () => {
          await serveTogether();
          return context.getStore();
        }),
      ),
    );
    expect(seen).toEqual(Array.from({ length: 40 }, (_, request) => request));
  });

  test('may wait for a turn again', async () => {
    const steps: string[] = [];
    const first = serveTogether().then(async () => {
      steps.push('first');
      await serveTogether();
      steps.push('within');
    });
    await first;
    expect(steps).toEqual(['first', 'within']);
  });
});
