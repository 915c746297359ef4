import type { JsonValue } from '@bufbuild/protobuf';
import { type ReactNode, useState } from 'react';
import { texts } from '../texts.ts';
import { Tabs } from './Tabs.tsx';

/** Members shown at once: a result may have very many. */
const STEP = 100;
/** Levels that are open at first. */
const OPEN_LEVELS = 2;

/** A JSON document as a tree, and as it is. */
export function JsonView({ label, value }: { label: string; value: JsonValue }) {
  const [view, setView] = useState<'tree' | 'raw'>('tree');
  return (
    <Tabs<'tree' | 'raw'>
      label={label}
      selected={view}
      onSelect={setView}
      tabs={[
        { id: 'tree', name: texts.calls.tree, content: <JsonTree value={value} /> },
        { id: 'raw', name: texts.calls.raw, content: <RawJson value={value} /> },
      ]}
    />
  );
}

export function RawJson({ value }: { value: JsonValue }) {
  // Scrolled by the keyboard as well.
  // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolled region has to take the focus
  return <pre tabIndex={0}>{JSON.stringify(value, null, 2)}</pre>;
}

/** A JSON document whose lists and objects open and close. */
export function JsonTree({ value }: { value: JsonValue }) {
  return (
    <div className="tree">
      <Part value={value} level={0} />
    </div>
  );
}

function Part({ name, value, level }: { name?: string; value: JsonValue; level: number }) {
  const key = name === undefined ? null : <span className="key">{name}: </span>;
  if (typeof value !== 'object' || value === null) {
    return (
      <div className="leaf">
        {key}
        <span className={`value ${value === null ? 'null' : typeof value}`}>{JSON.stringify(value)}</span>
      </div>
    );
  }
  const entries = Object.entries(value);
  const size = Array.isArray(value) ? texts.calls.items(entries.length) : texts.calls.members(entries.length);
  const title = (
    <>
      {key}
      <span className="size">{size}</span>
    </>
  );
  if (entries.length === 0) return <div className="leaf">{title}</div>;
  return (
    <Branch title={title} level={level}>
      <Members entries={entries} level={level + 1} />
    </Branch>
  );
}

/** Its members are made when it is first opened. */
function Branch({ title, level, children }: { title: ReactNode; level: number; children: ReactNode }) {
  const [open, setOpen] = useState(level < OPEN_LEVELS);
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{title}</summary>
      {open && children}
    </details>
  );
}

function Members({ entries, level }: { entries: readonly [string, JsonValue][]; level: number }) {
  const [shown, setShown] = useState(STEP);
  const rest = entries.length - shown;
  return (
    <div className="members">
      {entries.slice(0, shown).map(([name, value]) => (
        <Part key={name} name={name} value={value} level={level} />
      ))}
      {rest > 0 && (
        <button type="button" onClick={() => setShown(shown + STEP)}>
          {texts.calls.more(Math.min(rest, STEP))}
        </button>
      )}
    </div>
  );
}
