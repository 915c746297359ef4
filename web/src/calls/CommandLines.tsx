import { useState } from 'react';
import { useQueryPart } from '../parts/address.ts';
import { Tabs } from '../parts/Tabs.tsx';
import { texts } from '../texts.ts';
import { commandLine, type LineOptions, PROGRAMS, type Program } from './commandLines.ts';

/** The call as lines for a shell. */
export function CommandLines({ call }: { call: LineOptions }) {
  const [chosen, choose] = useQueryPart('line');
  const selected = PROGRAMS.find((program) => program === chosen) ?? 'curl';
  return (
    <section aria-label={texts.calls.lines}>
      <h3>{texts.calls.lines}</h3>
      <Tabs<Program>
        label={texts.calls.lines}
        selected={selected}
        onSelect={choose}
        tabs={PROGRAMS.map((program) => ({
          id: program,
          name: program,
          content: <Line program={program} line={commandLine(program, call)} />,
        }))}
      />
      <p className="help">{texts.calls.linesHelp}</p>
    </section>
  );
}

function Line({ program, line }: { program: Program; line: string | null }) {
  const [copied, setCopied] = useState<string | null>(null);
  if (line === null) return <p>{texts.calls.noLine(program)}</p>;
  return (
    <div className="line">
      {/* Scrolled by the keyboard as well. */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolled region has to take the focus */}
      <pre tabIndex={0}>{line}</pre>
      <button type="button" onClick={() => void copyText(line).then(() => setCopied(line))}>
        {texts.calls.copy}
        <span className="visually-hidden"> {program}</span>
      </button>
      <span role="status">{copied === line && texts.calls.copied}</span>
    </div>
  );
}

async function copyText(text: string): Promise<void> {
  // Only where the page comes by TLS or from this machine.
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}
