/**
 * The word of `words` that `word` was probably meant to be: the one with the fewest letters to change, insert or
 * delete, at most a third of them. Null when none is near.
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

/** The Levenshtein distance. */
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
