declare module 'vitest' {
  interface TaskMeta {
    /** What a test lacks on this machine; the reporter lists it at the end of the run. */
    needs?: string;
  }
}

/**
 * Returns the options of a test or a group that cannot run everywhere: `describe('zsh', needs(noZsh), () => …)`.
 * @param missing what is missing here and how to get it; null runs the tests. In CI a skipped test counts as failed.
 */
export function needs(missing: string | null): { skip?: true; meta?: { needs: string } } {
  return missing === null ? {} : { skip: true, meta: { needs: missing } };
}
