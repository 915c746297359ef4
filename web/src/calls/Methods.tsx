import type { VendorMethod } from '../../../gen/passthru/v1/passthru_pb.ts';
import { useQueryPart } from '../parts/address.ts';
import { Message } from '../parts/Message.tsx';
import { texts } from '../texts.ts';
import { CallPanel } from './CallPanel.tsx';
import type { Target } from './target.ts';
import '../nodes/node.css';

interface MethodsProps {
  title: string;
  target: Target;
  /** Whether no lock is in the way of a call, as far as the page knows. */
  isFree: boolean;
  /** Undefined until they have been read. */
  methods: readonly VendorMethod[] | undefined;
  /** Why they cannot be read; null when they can. */
  problem: string | null;
  /** What is said when there are none. */
  none: string;
}

/** The methods of a node or a driver, and the form of the one that the address names. */
export function Methods({ title, target, isFree, methods, problem, none }: MethodsProps) {
  const [selected, select] = useQueryPart('method');
  const method = methods?.find(({ name }) => name === selected);
  const key = target.kind === 'node' ? target.uuid : target.name;
  return (
    <section className="stack" aria-label={title}>
      <h2>{title}</h2>
      {problem !== null && <Message kind="error">{problem}</Message>}
      {methods === undefined && problem === null && <p role="status">{texts.loading}</p>}
      {methods?.length === 0 && <p>{none}</p>}
      <ul className="methods">
        {methods?.map((one) => (
          <MethodItem
            key={one.name}
            method={one}
            locks={target.kind === 'node'}
            isSelected={one === method}
            onSelect={() => select(one.name)}
          />
        ))}
      </ul>
      {method !== undefined && (
        <CallPanel key={`${key} ${method.name}`} target={target} isFree={isFree} method={method} />
      )}
    </section>
  );
}

interface MethodItemProps {
  method: VendorMethod;
  /** Whether a call of it may lock anything. */
  locks: boolean;
  isSelected: boolean;
  onSelect(): void;
}

function MethodItem({ method, locks, isSelected, onSelect }: MethodItemProps) {
  const { name, description, httpMethods, role, async: isAsync, attach, requireExclusiveLock } = method;
  return (
    <li className={isSelected ? 'selected' : undefined}>
      <button type="button" aria-pressed={isSelected} onClick={onSelect}>
        {name}
      </button>
      <p>{description}</p>
      <p className="chips">
        <span className="chip">{httpMethods.join(', ')}</span>
        <span className="chip">{isAsync ? texts.node.async : texts.node.sync}</span>
        {locks && <span className="chip">{requireExclusiveLock ? texts.node.locks : texts.node.shared}</span>}
        {attach && <span className="chip">{texts.node.attaches}</span>}
        <span className="chip">{texts.node.role(role)}</span>
      </p>
    </li>
  );
}
