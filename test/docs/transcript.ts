/** A command of a document, and what the document shows that it prints. */
export interface Step {
  command: string;
  output: string;
}

/** A fenced block marked `console`: commands behind `$ `, each with its output below. */
export interface Transcript {
  /** Where it stands, from 1. */
  line: number;
  steps: Step[];
}

/** The `console` blocks of a Markdown document. */
export function readTranscripts(markdown: string): Transcript[] {
  return [...markdown.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map(({ index, 1: text }) => {
    const steps = text!.split(/^\$ /m).slice(1).map(readStep);
    return { line: markdown.slice(0, index).split('\n').length, steps };
  });
}

/** The command goes on behind each line that ends with a backslash. */
function readStep(text: string): Step {
  const [command] = /^(.*\\\n)*.*\n/.exec(text)!;
  return { command: command.trimEnd(), output: text.slice(command.length) };
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/**
 * The UUIDs that documents name, and those that stand for them in one run. What a command prints where a document has a
 * UUID that was not met before, is what the document's later commands mean by it.
 */
export class Uuids {
  #real = new Map<string, string>();

  /** `command` with the UUIDs of this run. */
  inCommand(command: string): string {
    return command.replace(UUID, (uuid) => this.#real.get(uuid) ?? uuid);
  }

  /** Whether `printed` is what `shown` says, in which … stands for anything. Learns the UUIDs that it shows. */
  learn(shown: string, printed: string): boolean {
    const met: string[] = [];
    const pattern = shown
      .split(/(…|[0-9a-f]{8}-[0-9a-f-]{27})/)
      .map((part) => {
        if (part === '…') return '[\\s\\S]*?';
        if (!part.match(UUID)) return literally(part);
        const known = this.#real.get(part);
        if (known !== undefined) return literally(known);
        if (met.includes(part)) return `\\${met.indexOf(part) + 1}`;
        met.push(part);
        return `(${UUID.source})`;
      })
      .join('');
    const match = new RegExp(`^${pattern}$`).exec(printed);
    for (const [index, uuid] of met.entries()) if (match) this.#real.set(uuid, match[index + 1]!);
    return match !== null;
  }
}

/** A pattern that matches `text` alone. */
function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
