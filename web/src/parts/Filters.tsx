import { type ReactNode, useId, useState } from 'react';
import { texts } from '../texts.ts';

interface FieldProps {
  label: string;
  value: string;
  onChange(value: string): void;
}

/** A labelled text that narrows what a page shows. */
export function TextFilter({ label, value, onChange, help }: FieldProps & { help?: string }) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="search"
        value={value}
        placeholder={help}
        spellCheck={false}
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  );
}

/** As `TextFilter`, for what the service looks for: it takes effect with Enter, and when the reader goes on to something else. */
export function SentFilter({ label, value, onChange, help }: FieldProps & { help?: string }) {
  const id = useId();
  const [draft, setDraft] = useState<string | null>(null);
  const commit = () => {
    if (draft !== null && draft.trim() !== value) onChange(draft.trim());
    setDraft(null);
  };
  return (
    <form
      className="field"
      onSubmit={(event) => {
        event.preventDefault();
        commit();
      }}
    >
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="search"
        value={draft ?? value}
        placeholder={help}
        spellCheck={false}
        onChange={(event) => setDraft(event.target.value)}
        onBlur={commit}
      />
    </form>
  );
}

/** A labelled choice that narrows what a page shows; its first option shows all. */
export function ChoiceFilter({ label, value, onChange, children }: FieldProps & { children: ReactNode }) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.target.value)}>
        <option value="">{texts.all}</option>
        {children}
      </select>
    </div>
  );
}
