const WORDS = new Map<string, boolean>([
  ...['1', 't', 'true', 'on', 'y', 'yes'].map((word) => [word, true] as const),
  ...['0', 'f', 'false', 'off', 'n', 'no'].map((word) => [word, false] as const),
]);

/** The boolean that Ironic's callers write as `text` (oslo.utils `bool_from_string`, strict); undefined when it is none. */
export function booleanWord(text: string): boolean | undefined {
  return WORDS.get(text.toLowerCase());
}
