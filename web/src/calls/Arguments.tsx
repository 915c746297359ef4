import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { useId, useState } from 'react';
import { Tabs } from '../parts/Tabs.tsx';
import type { Fault } from '../schemaForm/check.ts';
import { ObjectFields } from '../schemaForm/Field.tsx';
import { isObject, othersOf, resolve, sameJson } from '../schemaForm/schema.ts';
import { texts } from '../texts.ts';

interface ArgumentsProps {
  schema: JsonObject;
  value: JsonObject;
  faults: readonly Fault[];
  onChange(value: JsonObject): void;
  /** Gets why the JSON cannot be read; null when it can. */
  onBroken(reason: string | null): void;
}

/** The arguments of a method: a form made from its schema, and the same as JSON. */
export function Arguments(props: ArgumentsProps) {
  const { schema, value, faults, onChange, onBroken } = props;
  const [view, setView] = useState<'form' | 'json'>('form');
  const select = (next: 'form' | 'json') => {
    // What cannot be read is left behind: the form shows the last arguments that could.
    onBroken(null);
    setView(next);
  };
  const resolved = resolve(schema, schema);
  const named = isObject(resolved.properties) ? Object.keys(resolved.properties) : [];
  if (named.length === 0 && othersOf(resolved, schema) === null) return <p>{texts.calls.noArguments}</p>;
  return (
    <Tabs<'form' | 'json'>
      label={texts.calls.arguments}
      selected={view}
      onSelect={select}
      tabs={[
        {
          id: 'form',
          name: texts.calls.form,
          content: (
            <ObjectFields
              schema={resolved}
              root={schema}
              path={[]}
              value={value}
              faults={faults}
              onChange={(next) => onChange(isObject(next) ? next : {})}
            />
          ),
        },
        { id: 'json', name: texts.calls.json, content: <JsonEntry {...props} /> },
      ]}
    />
  );
}

function JsonEntry({ value, faults, onChange, onBroken }: ArgumentsProps) {
  const id = useId();
  const [text, setText] = useState(() => JSON.stringify(value, null, 2));
  const { reason } = read(text);
  const listed = reason === null ? faults : [{ path: [], text: reason }];
  const set = (next: string) => {
    setText(next);
    const { parsed, reason: broken } = read(next);
    onBroken(broken);
    if (parsed !== null && !sameJson(parsed, value)) onChange(parsed);
  };
  return (
    <div className="field">
      <label htmlFor={id}>{texts.calls.jsonLabel}</label>
      <textarea
        id={id}
        rows={12}
        spellCheck={false}
        value={text}
        aria-invalid={listed.length > 0 ? true : undefined}
        aria-describedby={listed.length > 0 ? `${id}-faults` : undefined}
        onChange={(event) => set(event.target.value)}
      />
      {listed.length > 0 && (
        <ul className="fault" id={`${id}-faults`}>
          {listed.map(({ path, text: fault }) => (
            <li key={`${path.join('.')} ${fault}`}>{path.length === 0 ? fault : `${path.join('.')} ${fault}`}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

function read(text: string): { parsed: JsonObject | null; reason: string | null } {
  let parsed: JsonValue;
  try {
    parsed = text.trim() === '' ? {} : (JSON.parse(text) as JsonValue);
  } catch (error) {
    return { parsed: null, reason: texts.form.invalidJson((error as SyntaxError).message) };
  }
  return isObject(parsed) ? { parsed, reason: null } : { parsed: null, reason: texts.form.noObject };
}
