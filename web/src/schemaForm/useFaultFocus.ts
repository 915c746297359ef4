import { type RefObject, useEffect, useState } from 'react';

/** Returns a function that leads to the first field of `form` that is at fault, when what was set with it has been rendered. */
export function useFaultFocus(form: RefObject<HTMLElement | null>): () => void {
  const [asked, setAsked] = useState(0);
  useEffect(() => {
    if (asked > 0) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [asked, form]);
  return () => setAsked((times) => times + 1);
}
