import { createClient } from '@connectrpc/connect';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { type Node, NodeService } from '../../../gen/passthru/v1/node_pb.ts';
import { failureOf } from '../calls/failure.ts';
import { Confirm } from '../parts/Confirm.tsx';
import { useChanges } from '../parts/emitter.ts';
import { GuardedButton } from '../parts/GuardedButton.tsx';
import { hasRole, session } from '../session/session.ts';
import { texts } from '../texts.ts';
import { nodeTitle } from './nodeState.ts';

const client = createClient(NodeService, session.transport);

interface NodeActionsProps {
  node: Node;
  /** Gets what the service has against it; null when a new try begins. */
  onProblem(problem: string | null): void;
}

/** Changes or deletes a node, where the role and its lock allow it. */
export function NodeActions({ node, onProblem }: NodeActionsProps) {
  useChanges(session);
  const [, navigate] = useLocation();
  const [asking, setAsking] = useState(false);
  const remove = async () => {
    onProblem(null);
    try {
      await client.deleteNode({ node: node.uuid });
      navigate('/nodes');
    } catch (thrown) {
      onProblem(failureOf(thrown).message);
    }
  };
  const holder = node.reservation?.holder;
  const locked = holder === undefined ? null : texts.node.lockedBy(holder);
  const reason = hasRole(session.state, 'admin') ? locked : texts.needsRole('admin');
  return (
    <>
      <GuardedButton reason={reason} onClick={() => navigate(`/nodes/${node.uuid}/edit`)}>
        {texts.node.edit}
      </GuardedButton>
      <GuardedButton className="danger" reason={reason} onClick={() => setAsking(true)}>
        {texts.node.delete}
      </GuardedButton>
      {asking && (
        <Confirm
          question={texts.node.askDelete(nodeTitle(node))}
          action={texts.node.delete}
          onConfirm={() => void remove()}
          onClose={() => setAsking(false)}
        >
          <p>{texts.node.askDeleteHelp}</p>
        </Confirm>
      )}
    </>
  );
}

/** Leads to the form of a new node. */
export function EnrolButton() {
  useChanges(session);
  const [, navigate] = useLocation();
  const reason = hasRole(session.state, 'admin') ? null : texts.needsRole('admin');
  return (
    <GuardedButton reason={reason} onClick={() => navigate('/nodes/new')}>
      {texts.enrol.title}
    </GuardedButton>
  );
}
