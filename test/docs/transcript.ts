/** A command of a document, and its output as shown there. */
export interface Step {
  command: string;
  output: string;
}

/** A fenced block marked `console`: commands behind `$ `, each with its output below. */
export interface Transcript {
  /** The line number in the document, from 1. */
  line: number;
  steps: Step[];
}

/** Returns the `console` blocks of a Markdown document. */
export function readTranscripts(markdown: string): Transcript[] {
  return [...markdown.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map(({ index, 1: text }) => {
    const steps = text!.split(/^\$ /m).slice(1).map(readStep);
    return { line: markdown.slice(0, index).split('\n').length, steps };
  });
}

/** A line that ends with a backslash continues the command. */
function readStep(text: string): Step {
  const [command] = /^(.*\\\n)*.*\n/.exec(text)!;
  return { command: command.trimEnd(), output: text.slice(command.length) };
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/**
 * Maps the UUIDs in a document to those of one run. The UUID that a command prints where the document shows a new one
 * replaces it in later commands.
 */
export class Uuids {
  #real = new Map<string, string>();

  /** Returns `command` with the UUIDs of this run. */
  inCommand(command: string): string {
    return command.replace(UUID, (uuid) => this.#real.get(uuid) ?? uuid);
  }

  /** Returns whether `printed` matches `shown`, where … matches anything. Learns the new UUIDs. */
  learn(shown: string, printed: string): boolean {
    const found: string[] = [];
    const pattern = shown
      .split(/(…|[0-9a-f]{8}-[0-9a-f-]{27})/)
      .map((part) => {
        if (part === '…') return '[\\s\\S]*?';
        if (!part.match(UUID)) return escapeRegExp(part);
        const real = this.#real.get(part);
        if (real !== undefined) return escapeRegExp(real);
        if (found.includes(part)) return `\\${found.indexOf(part) + 1}`;
        found.push(part);
        return `(${UUID.source})`;
      })
      .join('');
    const match = new RegExp(`^${pattern}$`).exec(printed);
    for (const [index, uuid] of found.entries()) if (match) this.#real.set(uuid, match[index + 1]!);
    return match !== null;
  }
}

/** Returns a pattern that matches only `text`. */
function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
