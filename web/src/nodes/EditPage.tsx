import type { JsonObject } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { type Node, NodeService } from '../../../gen/passthru/v1/node_pb.ts';
import { liveNodes } from '../live/nodes.ts';
import { Message } from '../parts/Message.tsx';
import { Page } from '../parts/Page.tsx';
import { session } from '../session/session.ts';
import { texts } from '../texts.ts';
import { NodeForm } from './NodeForm.tsx';
import { changedPaths, draftOf, maskedKeys, valuesOfDraft } from './nodeDraft.ts';
import { nodeTitle } from './nodeState.ts';
import { useNode } from './useNode.ts';

const client = createClient(NodeService, session.transport);

/** Changes a node. */
export function EditPage({ params: { node: ident } }: { params: { node: string } }) {
  const { node, removed, problem } = useNode(ident);
  if (node !== undefined) return <Edit key={node.uuid} node={node} />;
  return (
    <Page title={ident}>
      {problem !== null && <Message kind="error">{problem}</Message>}
      {removed && <Message kind="info">{texts.node.removed}</Message>}
    </Page>
  );
}

function Edit({ node }: { node: Node }) {
  const [, navigate] = useLocation();
  // As it was when the form was opened: what others change meanwhile stays, unless it is changed here too.
  const [initial] = useState(() => draftOf(node));
  const [masked] = useState(() => maskedKeys(node));
  const save = async (draft: JsonObject) => {
    const paths = changedPaths(initial, draft);
    if (paths.length > 0) {
      const { node: after } = await client.updateNode({
        node: node.uuid,
        values: valuesOfDraft(draft, masked),
        updateMask: { paths },
      });
      if (after !== undefined) liveNodes.put(after);
    }
    navigate(`/nodes/${node.uuid}`);
  };
  const holder = node.reservation?.holder;
  return (
    <Page title={texts.enrol.editOf(nodeTitle(node))}>
      <NodeForm
        initial={initial}
        masked={masked}
        action={texts.enrol.save}
        reason={holder === undefined ? null : texts.node.lockedBy(holder)}
        onSave={save}
      />
    </Page>
  );
}
