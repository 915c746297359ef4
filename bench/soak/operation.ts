import type { SoakClient } from './client.ts';

/** One kind of operation of the load, and how often it is chosen. */
export interface Operation {
  name: string;
  weight: number;
  run(client: SoakClient): Promise<unknown>;
}

export function operation(weight: number, name: string, run: Operation['run']): Operation {
  return { name, weight, run };
}
