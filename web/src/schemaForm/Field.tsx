import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { type ClipboardEvent, type ReactNode, useId, useRef, useState } from 'react';
import { isSecretName } from '../../../src/core/secretNames.ts';
import { texts } from '../texts.ts';
import { type Fault, faultAt } from './check.ts';
import { ANY, type Notation, NUMBER, TEXT, useEntry } from './entry.ts';
import {
  alternativesOf,
  isObject,
  isOfKind,
  kindOf,
  memberOf,
  othersOf,
  propertiesOf,
  requiredOf,
  resolve,
  sameJson,
  textOf,
  valuesOf,
  withMember,
} from './schema.ts';

export interface FieldProps {
  label: string;
  schema: JsonObject;
  /** What the references of `schema` refer to. */
  root: JsonObject;
  path: readonly string[];
  /** Undefined when it is not given. */
  value: JsonValue | undefined;
  required?: boolean;
  faults: readonly Fault[];
  onChange(value: JsonValue | undefined): void;
}

/** A value of any schema, with its name, help and what is wrong with it. */
export function Field(props: FieldProps) {
  const { schema, root, value, label, onChange } = props;
  const alternatives = alternativesOf(schema, root);
  const id = useId();
  const [chosen, choose] = useState<number | null>(null);
  const fitting = value === undefined ? -1 : alternatives.findIndex((one) => isOfKind(value, one));
  const index = chosen ?? Math.max(0, fitting);
  const alternative = alternatives[index] ?? alternatives[0]!;
  const own = { ...props, schema: alternative };
  if (alternatives.length === 1) return <OneKind {...own} />;
  return (
    <div className="alternatives">
      <div className="kind">
        <label htmlFor={id}>{texts.form.kindOf(label)}</label>
        <select
          id={id}
          value={index}
          onChange={(event) => {
            choose(Number(event.target.value));
            onChange(undefined);
          }}
        >
          {alternatives.map((one, position) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: alternatives have no name, and keep their order
            <option key={position} value={position}>
              {textOf(one.title) || texts.form.kinds[kindOf(one)]}
            </option>
          ))}
        </select>
      </div>
      <OneKind key={index} {...own} />
    </div>
  );
}

function OneKind(props: FieldProps) {
  switch (kindOf(props.schema)) {
    case 'kept':
      return <Kept {...props} />;
    case 'choice':
      return <Choice {...props} values={valuesOf(props.schema) ?? []} />;
    case 'boolean':
      return <Choice {...props} values={[true, false]} />;
    case 'number':
      return <Entry {...props} notation={NUMBER} />;
    case 'text':
      return <Entry {...props} notation={TEXT} />;
    case 'null':
      return <Choice {...props} values={[null]} />;
    case 'list':
      return <List {...props} />;
    case 'object':
      return (
        <Group {...props}>
          <ObjectFields {...props} value={isObject(props.value) ? props.value : {}} />
        </Group>
      );
    case 'json':
      return <Entry {...props} notation={ANY} help={texts.form.anyHelp} />;
  }
}

/** Returns the help of a schema, and its default, which the service fills in. */
function helpOf({ description, default: preset }: JsonObject): string {
  const parts = [textOf(description), preset === undefined ? '' : texts.form.default(JSON.stringify(preset))];
  return parts.filter((part) => part !== '').join('. ');
}

/** The attributes that connect an input with its help and its fault. */
function useDescription({ schema, faults, path }: FieldProps, more = '') {
  const id = useId();
  const help = [helpOf(schema), more].filter((part) => part !== '').join('. ');
  const fault = faultAt(faults, path);
  const described = [help === '' ? '' : `${id}-help`, fault === null ? '' : `${id}-fault`].filter((one) => one !== '');
  return {
    id,
    notes: (
      <>
        {help !== '' && (
          <p className="help" id={`${id}-help`}>
            {help}
          </p>
        )}
        {fault !== null && (
          <p className="fault" id={`${id}-fault`}>
            {fault}
          </p>
        )}
      </>
    ),
    attributes: {
      id,
      'aria-invalid': fault === null ? undefined : true,
      'aria-describedby': described.length === 0 ? undefined : described.join(' '),
    },
  };
}

function Label({ id, label, required = false }: { id: string; label: string; required?: boolean | undefined }) {
  return (
    <span className="label">
      <label htmlFor={id}>{label}</label>
      {required && <span className="required"> {texts.form.required}</span>}
    </span>
  );
}

function Choice(props: FieldProps & { values: readonly JsonValue[] }) {
  const { label, value, values, required, onChange } = props;
  const { id, notes, attributes } = useDescription(props);
  const index = value === undefined ? -1 : values.findIndex((one) => sameJson(one, value));
  return (
    <div className="field">
      <Label id={id} label={label} required={required} />
      <select
        {...attributes}
        aria-required={required}
        value={index === -1 ? '' : index}
        onChange={(event) => onChange(event.target.value === '' ? undefined : values[Number(event.target.value)])}
      >
        <option value="">{texts.form.notGiven}</option>
        {values.map((one, position) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the values of a schema keep their order
          <option key={position} value={position}>
            {typeof one === 'string' && one !== '' ? one : JSON.stringify(one)}
          </option>
        ))}
      </select>
      {notes}
    </div>
  );
}

/** A secret that has a value: it stays while it is not given, null removes it, and a text replaces it. */
function Kept(props: FieldProps) {
  const { label, path, value, faults, onChange } = props;
  const id = useId();
  const [replacing, setReplacing] = useState(typeof value === 'string');
  const choice = value === null ? 'remove' : replacing ? 'replace' : 'keep';
  const fault = choice === 'replace' ? null : faultAt(faults, path);
  return (
    <div className="alternatives">
      <div className="field">
        <Label id={id} label={label} />
        <select
          id={id}
          value={choice}
          aria-invalid={fault === null ? undefined : true}
          aria-describedby={`${id}-help`}
          onChange={({ target: { value: next } }) => {
            setReplacing(next === 'replace');
            onChange(next === 'remove' ? null : undefined);
          }}
        >
          {(['keep', 'replace', 'remove'] as const).map((one) => (
            <option key={one} value={one}>
              {texts.form.kept[one]}
            </option>
          ))}
        </select>
        <p className="help" id={`${id}-help`}>
          {fault ?? helpOf(props.schema)}
        </p>
      </div>
      {choice === 'replace' && (
        <Entry
          {...props}
          schema={{}}
          label={texts.form.newValue(label)}
          value={typeof value === 'string' ? value : undefined}
          notation={TEXT}
          help={texts.form.keptHelp}
          secret
        />
      )}
    </div>
  );
}

interface EntryProps extends FieldProps {
  notation: Notation;
  help?: string;
  /** Whether it is one whatever its name. */
  secret?: boolean;
}

function Entry({ notation, help, secret = false, ...props }: EntryProps) {
  const { label, path, value, required, onChange } = props;
  const { id, notes, attributes } = useDescription(props, help);
  const [text, setText] = useEntry(notation, value, onChange);
  const shared = {
    ...attributes,
    'aria-required': required,
    value: text,
    spellCheck: false,
    onChange: (event: { target: { value: string } }) => setText(event.target.value),
  };
  const isSecret = secret || isSecretName(path.findLast((name) => !/^\d+$/.test(name)) ?? label);
  // A line break would be lost in an input: certificates are pasted with many.
  const paste = (event: ClipboardEvent<HTMLInputElement>) => {
    const pasted = event.clipboardData.getData('text').replace(/\r?\n$/, '');
    if (isSecret || notation === NUMBER || !pasted.includes('\n')) return;
    event.preventDefault();
    const { selectionStart, selectionEnd } = event.currentTarget;
    setText(text.slice(0, selectionStart ?? 0) + pasted + text.slice(selectionEnd ?? text.length));
  };
  return (
    <div className="field">
      <Label id={id} label={label} required={required} />
      {notation === ANY || (text.includes('\n') && !isSecret) ? (
        <textarea {...shared} rows={Math.min(12, text.split('\n').length)} />
      ) : (
        <input
          {...shared}
          type={isSecret ? 'password' : 'text'}
          inputMode={notation === NUMBER ? 'decimal' : undefined}
          autoComplete={isSecret ? 'new-password' : 'off'}
          onPaste={paste}
        />
      )}
      {notes}
    </div>
  );
}

function Group({ children, ...props }: FieldProps & { children: ReactNode }) {
  const { label, required } = props;
  const { notes, attributes } = useDescription(props);
  return (
    <fieldset aria-describedby={attributes['aria-describedby']}>
      <legend>
        {label}
        {required && <span className="required"> {texts.form.required}</span>}
      </legend>
      {notes}
      {children}
    </fieldset>
  );
}

function List(props: FieldProps) {
  const { label, schema, root, path, faults, onChange } = props;
  const items = Array.isArray(props.value) ? props.value : [];
  const itemSchema = resolve(schema.items, root);
  const set = (next: JsonValue[]) => onChange(next.length === 0 ? undefined : next);
  const add = useRef<HTMLButtonElement>(null);
  const blank = blankOf(alternativesOf(itemSchema, root)[0]!);
  return (
    <Group {...props}>
      {items.map((item, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: items have nothing but their place
        <div className="item" key={index}>
          <Field
            label={texts.form.item(label, index + 1)}
            schema={itemSchema}
            root={root}
            path={[...path, String(index)]}
            value={item}
            faults={faults}
            onChange={(value) => set(items.with(index, value ?? blank))}
          />
          <button
            type="button"
            onClick={() => {
              set(items.toSpliced(index, 1));
              // This button goes with its item.
              add.current?.focus();
            }}
          >
            {texts.form.remove}
            <span className="visually-hidden"> {texts.form.item(label, index + 1)}</span>
          </button>
        </div>
      ))}
      <button ref={add} type="button" onClick={() => set([...items, blank])}>
        {texts.form.add}
        <span className="visually-hidden"> {label}</span>
      </button>
    </Group>
  );
}

/** Returns what stands in a list for an item that has not been entered. */
function blankOf(schema: JsonObject): JsonValue {
  switch (kindOf(schema)) {
    case 'choice':
      return valuesOf(schema)?.[0] ?? null;
    case 'boolean':
      return true;
    case 'list':
      return [];
    case 'object':
      return {};
    case 'null':
      return null;
    default:
      return '';
  }
}

interface ObjectFieldsProps extends Omit<FieldProps, 'value' | 'label' | 'required'> {
  value: JsonObject;
}

/** The members of an object: those that its schema names, and others where it allows some. */
export function ObjectFields({ schema, root, path, value, faults, onChange }: ObjectFieldsProps) {
  const required = requiredOf(schema);
  const properties = propertiesOf(schema, value, root);
  const others = othersOf(schema, root);
  const known = new Set(properties.map(([name]) => name));
  // An object that is not required is not given while none of its members is.
  const set = (next: JsonObject) => onChange(Object.keys(next).length === 0 ? undefined : next);
  return (
    <>
      {properties.map(([name, property]) => (
        <Field
          key={name}
          label={name}
          schema={property}
          root={root}
          path={[...path, name]}
          value={memberOf(value, name)}
          required={required.includes(name)}
          faults={faults}
          onChange={(member) => set(withMember(value, name, member))}
        />
      ))}
      {others !== null && (
        <Others
          members={Object.entries(value).filter(([name]) => !known.has(name))}
          schema={others}
          root={root}
          path={path}
          faults={faults}
          onChange={(members) =>
            set(Object.fromEntries([...Object.entries(value).filter(([name]) => known.has(name)), ...members]))
          }
        />
      )}
    </>
  );
}

interface OthersProps extends Pick<FieldProps, 'schema' | 'root' | 'path' | 'faults'> {
  members: readonly [string, JsonValue][];
  onChange(members: readonly [string, JsonValue][]): void;
}

/** Members whose names are entered as well. */
function Others({ members, schema, root, path, faults, onChange }: OthersProps) {
  // A name that is empty, or not finished, is no member yet.
  const [rows, setRows] = useState<readonly [string, JsonValue | undefined][]>(members);
  const add = useRef<HTMLButtonElement>(null);
  const set = (next: readonly [string, JsonValue | undefined][]) => {
    setRows(next);
    onChange(next.filter((row): row is [string, JsonValue] => row[0] !== '' && row[1] !== undefined));
  };
  return (
    <>
      {rows.map(([name, value], index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a row keeps its place while its name is typed
        <div className="item" key={index}>
          <NameEntry
            label={texts.form.nameOf(index + 1)}
            name={name}
            onChange={(next) => set(rows.with(index, [next, value]))}
          />
          <Field
            label={name === '' ? texts.form.valueOf(index + 1) : name}
            schema={schema}
            root={root}
            path={[...path, name]}
            value={value}
            faults={faults}
            onChange={(next) => set(rows.with(index, [name, next]))}
          />
          <button
            type="button"
            onClick={() => {
              set(rows.toSpliced(index, 1));
              add.current?.focus();
            }}
          >
            {texts.form.remove}
            <span className="visually-hidden"> {name === '' ? texts.form.valueOf(index + 1) : name}</span>
          </button>
        </div>
      ))}
      <button ref={add} type="button" onClick={() => set([...rows, ['', undefined]])}>
        {texts.form.addMember}
      </button>
    </>
  );
}

function NameEntry({ label, name, onChange }: { label: string; name: string; onChange(name: string): void }) {
  const id = useId();
  return (
    <div className="field">
      <Label id={id} label={label} />
      <input
        id={id}
        value={name}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  );
}
