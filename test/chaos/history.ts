/** So many lines are kept for each node, and so many about what befell the processes. */
const KEPT = 2000;

interface Line {
  /** Milliseconds since the beginning. */
  time: number;
  text: string;
}

/** What happened, so that a violation can be understood. */
export class History {
  readonly #began = performance.now();
  readonly #byNode = new Map<string, Line[]>();
  readonly #general: Line[] = [];

  /** @param node null for what is not about one node */
  note(node: string | null, text: string): void {
    let lines = node === null ? this.#general : this.#byNode.get(node);
    if (lines === undefined) {
      lines = [];
      this.#byNode.set(node as string, lines);
    }
    lines.push({ time: performance.now() - this.#began, text });
    if (lines.length > KEPT) lines.shift();
  }

  /** The lines about a node and about the processes, in order. */
  of(node: string | null): string[] {
    const own = node === null ? [] : (this.#byNode.get(node) ?? []);
    return [...this.#general, ...own]
      .sort((one, other) => one.time - other.time)
      .map(({ time, text }) => `${(time / 1000).toFixed(3).padStart(9)} ${text}`);
  }
}
