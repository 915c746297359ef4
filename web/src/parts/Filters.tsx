import { type ReactNode, useId } from 'react';
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
