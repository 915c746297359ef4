import type { JsonObject } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { useLocation } from 'wouter';
import { NodeService } from '../../../gen/passthru/v1/node_pb.ts';
import { liveNodes } from '../live/nodes.ts';
import { Page } from '../parts/Page.tsx';
import { session } from '../session/session.ts';
import { texts } from '../texts.ts';
import { NodeForm } from './NodeForm.tsx';
import { valuesOfDraft } from './nodeDraft.ts';

const client = createClient(NodeService, session.transport);

/** Enrols a node. */
export function EnrolPage() {
  const [, navigate] = useLocation();
  const enrol = async (draft: JsonObject) => {
    const { node } = await client.createNode({ node: valuesOfDraft(draft) });
    if (node === undefined) return;
    liveNodes.put(node);
    navigate(`/nodes/${node.uuid}`);
  };
  return (
    <Page title={texts.enrol.title}>
      <NodeForm initial={{}} masked={[]} action={texts.enrol.enrol} reason={null} onSave={enrol} />
    </Page>
  );
}
