import type { RecordedRequest } from '../../src/sim/index.ts';
import type { History } from './history.ts';

/** A request with an older fence than an earlier one to its node. */
export interface LateRequest {
  node: string;
  fence: number;
  newest: number;
}

/** Checks the order of the fences of requests that arrive at the BMCs (`redfish.fence_header`). */
export class Arrivals {
  /** The number of requests with a fence. */
  count = 0;
  readonly late: LateRequest[] = [];
  readonly #newest = new Map<string, number>();
  readonly #history: History;

  constructor(history: History) {
    this.#history = history;
  }

  add({ method, path, headers, connection }: RecordedRequest): void {
    const node = headers['x-passthru-node'];
    if (typeof node !== 'string') return;
    const fence = Number(headers['x-passthru-fence']);
    const newest = this.#newest.get(node) ?? 0;
    this.count++;
    this.#history.add(node, `BMC received ${method} ${path} with fence ${fence} on connection ${connection}`);
    if (fence < newest) {
      this.late.push({ node, fence, newest });
      this.#history.add(node, `LATE: fence ${fence} after ${newest}`);
    }
    this.#newest.set(node, Math.max(newest, fence));
  }
}
