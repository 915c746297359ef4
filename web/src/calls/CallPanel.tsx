import type { JsonObject } from '@bufbuild/protobuf';
import { type FormEvent, useId, useMemo, useRef, useState } from 'react';
import type { VendorMethod } from '../../../gen/passthru/v1/passthru_pb.ts';
import { useChanges } from '../parts/emitter.ts';
import { JsonView } from '../parts/JsonView.tsx';
import { SubmitButton } from '../parts/SubmitButton.tsx';
import { type Fault, faultsOf } from '../schemaForm/check.ts';
import { useFaultFocus } from '../schemaForm/useFaultFocus.ts';
import { hasRole, session } from '../session/session.ts';
import { texts } from '../texts.ts';
import { Arguments } from './Arguments.tsx';
import { AttachmentView } from './AttachmentView.tsx';
import { CommandLines } from './CommandLines.tsx';
import { Conflict } from './Conflict.tsx';
import { FailureView } from './FailureView.tsx';
import { violationsOf } from './failure.ts';
import { JobOutcome } from './JobOutcome.tsx';
import { TranscriptOf } from './TranscriptOf.tsx';
import type { Target } from './target.ts';
import { type CallState, useCall } from './useCall.ts';

interface CallPanelProps {
  target: Target;
  /** Whether no lock is in the way, as far as the page knows. */
  isFree: boolean;
  method: VendorMethod;
}

/** Calls a method of a node or a driver: its arguments, the call, and how it ended. */
export function CallPanel({ target, isFree, method }: CallPanelProps) {
  useChanges(session);
  const form = useRef<HTMLFormElement>(null);
  const verbId = useId();
  const leadToFault = useFaultFocus(form);
  const schema = method.argumentsSchema ?? {};
  const [args, setArgs] = useState<JsonObject>({});
  const [httpMethod, setHttpMethod] = useState(method.httpMethods[0] ?? 'POST');
  const [record, setRecord] = useState(false);
  const [broken, setBroken] = useState<string | null>(null);
  /** What the service found wrong with the arguments as they are. */
  const [refused, setRefused] = useState<readonly Fault[]>([]);
  /** Whether faults are shown: not before someone has tried. */
  const [tried, setTried] = useState(false);
  const calls = useCall(isFree);
  const own = useMemo(() => faultsOf(args, schema), [args, schema]);
  const faults = tried ? [...own, ...refused] : [];
  const reason = useReason(method, calls.state, broken);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (reason !== null) return;
    setTried(true);
    if (own.length > 0) return leadToFault();
    const state = await calls.call({ target, method: method.name, httpMethod, arguments: args, record });
    const violations = state.status === 'failed' ? violationsOf(state.failure, 'arguments') : [];
    setRefused(violations);
    if (violations.length > 0) leadToFault();
  };
  const change = (next: JsonObject) => {
    setArgs(next);
    setRefused([]);
  };

  return (
    <section className="panel" aria-label={texts.calls.title(method.name)}>
      <h3>{texts.calls.title(method.name)}</h3>
      <form ref={form} noValidate onSubmit={(event) => void submit(event)}>
        <Arguments schema={schema} value={args} faults={faults} onChange={change} onBroken={setBroken} />
        {method.httpMethods.length > 1 && (
          <div className="field">
            <label htmlFor={verbId}>{texts.calls.verb}</label>
            <select id={verbId} value={httpMethod} onChange={(event) => setHttpMethod(event.target.value)}>
              {method.httpMethods.map((verb) => (
                <option key={verb}>{verb}</option>
              ))}
            </select>
          </div>
        )}
        <label className="check">
          <input type="checkbox" checked={record} onChange={(event) => setRecord(event.target.checked)} />
          {texts.calls.record}
        </label>
        <SubmitButton reason={reason}>{texts.calls.call}</SubmitButton>
      </form>
      <Outcome state={calls.state} node={target.name} onWait={calls.wait} onStop={calls.stopWaiting} />
      <CommandLines
        call={{
          origin: location.origin,
          scheme: session.state.status === 'ready' ? session.state.scheme : null,
          target,
          method: method.name,
          httpMethod,
          arguments: args,
          argumentsSchema: schema,
          attach: method.attach,
        }}
      />
    </section>
  );
}

/** Returns why the method cannot be called now; null when it can. */
function useReason({ role }: VendorMethod, { status }: CallState, broken: string | null): string | null {
  if (!hasRole(session.state, role)) return texts.needsRole(role);
  if (status === 'calling') return texts.calls.calling;
  if (status === 'waiting') return texts.calls.waiting;
  return broken;
}

interface OutcomeProps {
  state: CallState;
  node: string;
  onWait(): void;
  onStop(): void;
}

function Outcome({ state, node, onWait, onStop }: OutcomeProps) {
  if (state.status === 'idle') return null;
  return (
    <section className="outcome-of-call" aria-label={texts.calls.outcome} aria-busy={state.status === 'calling'}>
      <h3>{texts.calls.outcome}</h3>
      {state.status === 'calling' && <p role="status">{texts.calls.calling}</p>}
      {(state.status === 'locked' || state.status === 'waiting') && (
        <Conflict node={node} lock={state.lock} waiting={state.status === 'waiting'} onWait={onWait} onStop={onStop} />
      )}
      {state.status === 'failed' && <FailureView failure={state.failure} />}
      {state.status === 'result' &&
        (state.result === null ? (
          <p role="status">{texts.calls.noResult}</p>
        ) : (
          <JsonView label={texts.calls.outcome} value={state.result} />
        ))}
      {state.status === 'attachment' && <AttachmentView attachment={state.attachment} />}
      {(state.status === 'result' || state.status === 'attachment') && state.transcriptId !== '' && (
        <TranscriptOf id={state.transcriptId} />
      )}
      {state.status === 'job' && <JobOutcome started={state.job} />}
    </section>
  );
}
