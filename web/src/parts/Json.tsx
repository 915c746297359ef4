import { useMemo } from 'react';

/** A value as indented JSON, which is reached and scrolled by the keyboard as well. */
export function Json({ value, label }: { value: unknown; label: string }) {
  const text = useMemo(() => JSON.stringify(value, null, 2), [value]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolled region has to take the focus
    <pre tabIndex={0} role="region" aria-label={label}>
      {text}
    </pre>
  );
}
