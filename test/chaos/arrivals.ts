import type { RecordedRequest } from '../../src/sim/index.ts';
import type { History } from './history.ts';

/** A request that came under an older reservation than one before it on its node. */
export interface LateRequest {
  node: string;
  fence: number;
  newest: number;
}

/** Watches under which reservations requests arrive at the BMCs (`redfish.fence_header`). */
export class Arrivals {
  /** Requests that named their reservation. */
  count = 0;
  readonly late: LateRequest[] = [];
  readonly #newest = new Map<string, number>();
  readonly #history: History;

  constructor(history: History) {
    this.#history = history;
  }

  note({ method, path, headers, connection }: RecordedRequest): void {
    const node = headers['x-passthru-node'];
    if (typeof node !== 'string') return;
    const fence = Number(headers['x-passthru-fence']);
    const newest = this.#newest.get(node) ?? 0;
    this.count++;
    this.#history.note(node, `the BMC gets ${method} ${path} under ${fence} on connection ${connection}`);
    if (fence < newest) {
      this.late.push({ node, fence, newest });
      this.#history.note(node, `LATE: under ${fence} after ${newest}`);
    }
    this.#newest.set(node, Math.max(newest, fence));
  }
}
