/** Not for people: a shell's completion script calls `passthru __complete WORD…` and gets what the last word could be. */
export const COMPLETE = '__complete';
