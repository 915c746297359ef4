import type { JsonObject } from '@bufbuild/protobuf';
import { useQuery } from '@connectrpc/connect-query';
import { type FormEvent, useRef, useState } from 'react';
import { DriverService } from '../../../gen/passthru/v1/driver_pb.ts';
import { FailureView } from '../calls/FailureView.tsx';
import { type Failure, failureOf } from '../calls/failure.ts';
import { useChanges } from '../parts/emitter.ts';
import { Message } from '../parts/Message.tsx';
import { SubmitButton } from '../parts/SubmitButton.tsx';
import type { Fault } from '../schemaForm/check.ts';
import { ObjectFields } from '../schemaForm/Field.tsx';
import { isObject } from '../schemaForm/schema.ts';
import { useFaultFocus } from '../schemaForm/useFaultFocus.ts';
import { hasRole, session } from '../session/session.ts';
import { texts } from '../texts.ts';
import { Discover } from './Discover.tsx';
import { nodeSchema } from './nodeDraft.ts';
import './node.css';

/** A driver list longer than this is not the console's. */
const MOST_DRIVERS = 1000;

interface NodeFormProps {
  initial: JsonObject;
  /** The keys of driver_info that have a value which is not shown. */
  masked: readonly string[];
  /** What the button says. */
  action: string;
  /** Why the node cannot be saved now; null when it can. */
  reason: string | null;
  /** Rejects with what the service has against it. */
  onSave(draft: JsonObject): Promise<void>;
}

/** The fields of a node, and what a BMC tells of itself. */
export function NodeForm({ initial, masked, action, reason, onSave }: NodeFormProps) {
  useChanges(session);
  const form = useRef<HTMLFormElement>(null);
  const leadToFault = useFaultFocus(form);
  const { data, error } = useQuery(DriverService.method.listDrivers, { pageSize: MOST_DRIVERS });
  const [draft, setDraft] = useState(initial);
  /** Counts what was filled in from elsewhere: the fields then show it. */
  const [filled, setFilled] = useState(0);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  if (error !== null) return <Message kind="error">{error.rawMessage}</Message>;
  if (data === undefined) return <p role="status">{texts.loading}</p>;
  const schema = nodeSchema(data.drivers, draft, masked);
  const faults = failure === null ? [] : faultsOfNode(failure);
  const disabled = !hasRole(session.state, 'admin') ? texts.needsRole('admin') : busy ? texts.enrol.saving : reason;

  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (disabled !== null) return;
    setBusy(true);
    setFailure(null);
    try {
      await onSave(draft);
    } catch (thrown) {
      setFailure(failureOf(thrown));
      leadToFault();
    } finally {
      setBusy(false);
    }
  };

  return (
    <form ref={form} className="panel" noValidate onSubmit={(event) => void save(event)}>
      <ObjectFields
        key={filled}
        schema={schema}
        root={schema}
        path={[]}
        value={draft}
        faults={faults}
        onChange={(next) => setDraft(isObject(next) ? next : {})}
      />
      <Discover
        driver={data.drivers.find(({ name }) => name === draft.driver)}
        draft={draft}
        masked={masked}
        onFound={(next) => {
          setDraft(next);
          setFilled(filled + 1);
        }}
      />
      {failure !== null && <FailureView failure={failure} />}
      <SubmitButton reason={disabled}>{action}</SubmitButton>
    </form>
  );
}

/** Returns the faults of the fields, which the service names by the message that it got, or by the node. */
function faultsOfNode({ detail }: Failure): Fault[] {
  return (detail?.violations ?? []).map(({ field, description }) => {
    const name = field.replace(/^(?:node|values)\./, '');
    const dot = name.indexOf('.');
    // The key of a member is all after the first dot.
    return { path: dot === -1 ? [name] : [name.slice(0, dot), name.slice(dot + 1)], text: description };
  });
}
