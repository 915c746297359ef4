import { useQuery } from '@connectrpc/connect-query';
import { useEffect } from 'react';
import type { Node } from '../../../gen/passthru/v1/node_pb.ts';
import { PassthruService, type VendorMethod } from '../../../gen/passthru/v1/passthru_pb.ts';
import { CallPanel } from '../calls/CallPanel.tsx';
import { Message } from '../parts/Message.tsx';
import { texts } from '../texts.ts';

interface MethodsProps {
  node: Node;
  /** The name of the method that is shown with its form; empty for none. */
  selected: string;
  onSelect(name: string): void;
}

/** The methods of a node, and the form of the selected one. */
export function Methods({ node, selected, onSelect }: MethodsProps) {
  const { uuid, driver, vendorInterface } = node;
  const { data, error, refetch } = useQuery(PassthruService.method.listNodeMethods, { node: uuid });
  // biome-ignore lint/correctness/useExhaustiveDependencies: they decide which methods there are
  useEffect(() => void refetch(), [refetch, driver, vendorInterface]);
  const methods = data?.methods ?? [];
  const method = methods.find(({ name }) => name === selected);
  return (
    <section className="stack" aria-label={texts.node.methods}>
      <h2>{texts.node.methods}</h2>
      {error !== null && <Message kind="error">{error.rawMessage}</Message>}
      {data === undefined && error === null && <p role="status">{texts.loading}</p>}
      {data !== undefined && methods.length === 0 && <p>{texts.node.noMethods(vendorInterface)}</p>}
      <ul className="methods">
        {methods.map((one) => (
          <MethodItem key={one.name} method={one} isSelected={one === method} onSelect={() => onSelect(one.name)} />
        ))}
      </ul>
      {method !== undefined && <CallPanel key={`${uuid} ${method.name}`} node={node} method={method} />}
    </section>
  );
}

interface MethodItemProps {
  method: VendorMethod;
  isSelected: boolean;
  onSelect(): void;
}

function MethodItem({ method, isSelected, onSelect }: MethodItemProps) {
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
        <span className="chip">{requireExclusiveLock ? texts.node.locks : texts.node.shared}</span>
        {attach && <span className="chip">{texts.node.attaches}</span>}
        <span className="chip">{texts.node.role(role)}</span>
      </p>
    </li>
  );
}
