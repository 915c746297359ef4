import { isJsonObject, type JsonObject } from '../core/json.ts';
import { isSecretName } from '../core/secretNames.ts';
import { MASK, maskSecrets } from '../core/secrets.ts';

/** The reasons why the service cannot start: every problem of a configuration or nodes file, one a line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** Each names the file or variable, the key, the value unless it is a secret, and what is allowed. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/**
 * Returns the value of key `name` as JSON for a message: at most 80 characters, secrets as `******`. The password of a
 * URL is masked too, even where it holds characters that a URL may not.
 */
export function showValue(name: string, value: unknown): string {
  if (isSecretName(name)) return MASK;
  const masked = isJsonObject(value) ? maskSecrets(value as JsonObject) : value;
  const json = typeof masked === 'number' ? String(masked) : JSON.stringify(masked);
  const text = (json ?? String(masked))
    .replace(/(:\/\/[^:/@"]*:).*@/g, `$1${MASK}@`)
    .replace(/([?&](?:ssl)?password=)[^&"]*/g, `$1${MASK}`);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/**
 * Returns the word of `words` with the fewest letters to change, insert or delete, at most a third of `word`.
 * Null when none is near.
 */
export function nearest(word: string, words: readonly string[]): string | null {
  let best: string | null = null;
  let fewest = Math.floor(word.length / 3) + 1;
  for (const candidate of words) {
    const changes = countChanges(word.toLowerCase(), candidate.toLowerCase());
    if (changes < fewest) [best, fewest] = [candidate, changes];
  }
  return best;
}

/** Returns what to write instead of `word`: the nearest of `words`, or all of them. */
export function suggestion(word: string, words: readonly string[]): string {
  const meant = nearest(word, words);
  return meant === null ? `allowed: ${words.join(', ')}` : `did you mean ${meant}?`;
}

/** Returns the Levenshtein distance. */
function countChanges(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let line = 1; line <= from.length; line++) {
    const next = [line];
    for (let column = 1; column <= to.length; column++) {
      const replaced = row[column - 1]! + (from[line - 1] === to[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[column]! + 1, next[column - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
