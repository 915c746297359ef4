/** The maximum number of lines kept for each node, and about the processes. */
const MAX_LINES = 2000;

interface Line {
  /** Milliseconds since the start. */
  time: number;
  text: string;
}

/** The events of a run, to explain a violation. */
export class History {
  readonly #start = performance.now();
  readonly #byNode = new Map<string, Line[]>();
  readonly #general: Line[] = [];

  /** @param node null for an event that is not about one node */
  add(node: string | null, text: string): void {
    let lines = node === null ? this.#general : this.#byNode.get(node);
    if (lines === undefined) {
      lines = [];
      this.#byNode.set(node as string, lines);
    }
    lines.push({ time: performance.now() - this.#start, text });
    if (lines.length > MAX_LINES) lines.shift();
  }

  /** Returns the lines about a node and about the processes, in order. */
  of(node: string | null): string[] {
    const own = node === null ? [] : (this.#byNode.get(node) ?? []);
    return [...this.#general, ...own]
      .sort((one, other) => one.time - other.time)
      .map(({ time, text }) => `${(time / 1000).toFixed(3).padStart(9)} ${text}`);
  }
}
