import { useCallback } from 'react';
import { useSearchParams } from 'wouter';

/**
 * Returns a part of the address's query, empty when it is absent, and a function that sets it. What a page shows is in its
 * address, so that a link shows what its sender saw.
 */
export function useQueryPart(name: string): [string, (value: string) => void] {
  const [params, setParams] = useSearchParams();
  const set = useCallback(
    (value: string) =>
      setParams(
        (before) => {
          const next = new URLSearchParams(before);
          if (value === '') next.delete(name);
          else next.set(name, value);
          return next;
        },
        // Typing a search must not fill the history.
        { replace: true },
      ),
    [name, setParams],
  );
  return [params.get(name) ?? '', set];
}
