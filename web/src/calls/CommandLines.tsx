import { useState } from 'react';
import { useQueryPart } from '../parts/address.ts';
import { Tabs } from '../parts/Tabs.tsx';
import { texts } from '../texts.ts';
import { commandLine, type LineOptions, lineCredentials, PROGRAMS, type Program } from './commandLines.ts';

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
          content: <Line program={program} call={call} />,
        }))}
      />
      <p className="help">{texts.calls.linesHelp}</p>
    </section>
  );
}

function Line({ program, call }: { program: Program; call: LineOptions }) {
  const [copied, setCopied] = useState<string | null>(null);
  const line = commandLine(program, call);
  if (line === null) return <p>{texts.calls.noLine(program)}</p>;
  const { variables, asksPassword } = lineCredentials(program, call.scheme);
  return (
    <div className="line">
      {variables.length > 0 && <p className="help">{texts.calls.lineReads(variables, asksPassword)}</p>}
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
