import type { JsonObject } from '@bufbuild/protobuf';
import { useState } from 'react';
import type { Node } from '../../../gen/passthru/v1/node_pb.ts';
import { useQueryPart } from '../parts/address.ts';
import { Fact, Facts } from '../parts/Facts.tsx';
import { JsonTree } from '../parts/JsonView.tsx';
import { Message } from '../parts/Message.tsx';
import { Page } from '../parts/Page.tsx';
import { clockTime, millis } from '../parts/time.tsx';
import { texts } from '../texts.ts';
import { LockChip } from './LockChip.tsx';
import { Methods } from './Methods.tsx';
import { NodeActions } from './NodeActions.tsx';
import { nodeTitle } from './nodeState.ts';
import { ReservationFacts } from './ReservationFacts.tsx';
import { useNode } from './useNode.ts';
import './node.css';

/** One node: what it is, who holds it, and its methods, one of which can be called. */
export function NodePage({ params: { node: ident } }: { params: { node: string } }) {
  const { node, removed, problem } = useNode(ident);
  const [method, setMethod] = useQueryPart('method');
  const [refused, setRefused] = useState<string | null>(null);
  if (node === undefined) {
    return (
      <Page title={ident}>
        {problem !== null && <Message kind="error">{problem}</Message>}
        {removed && <Message kind="info">{texts.node.removed}</Message>}
        {problem === null && !removed && <p role="status">{texts.node.loading}</p>}
      </Page>
    );
  }
  return (
    <Page title={nodeTitle(node)} actions={<NodeActions node={node} onProblem={setRefused} />}>
      {refused !== null && <Message kind="error">{refused}</Message>}
      <Lock node={node} />
      <Methods node={node} selected={method} onSelect={setMethod} />
      <Properties node={node} />
    </Page>
  );
}

function Lock({ node: { reservation } }: { node: Node }) {
  return (
    <section className="stack" aria-label={texts.nodes.lock}>
      <h2>{texts.nodes.lock}</h2>
      {reservation === undefined ? (
        <span className="chip free">{texts.node.free}</span>
      ) : (
        <>
          <LockChip reservation={reservation} />
          <ReservationFacts reservation={reservation} />
        </>
      )}
    </section>
  );
}

function Properties({ node }: { node: Node }) {
  const { uuid, driver, vendorInterface, description, maintenance, maintenanceReason, lastError } = node;
  const enrolled = millis(node.createTime);
  const changed = millis(node.updateTime);
  return (
    <section className="stack" aria-label={texts.node.facts}>
      <h2>{texts.node.facts}</h2>
      <Facts>
        <Fact name={texts.node.uuid}>
          <code>{uuid}</code>
        </Fact>
        <Fact name={texts.node.driver}>{driver}</Fact>
        <Fact name={texts.node.vendorInterface}>{vendorInterface}</Fact>
        {description !== '' && <Fact name={texts.node.description}>{description}</Fact>}
        {maintenance && <Fact name={texts.node.maintenance}>{texts.node.inMaintenance(maintenanceReason)}</Fact>}
        {lastError !== '' && <Fact name={texts.node.lastError}>{lastError}</Fact>}
        {enrolled !== null && <Fact name={texts.node.enrolled}>{clockTime(enrolled)}</Fact>}
        {changed !== null && <Fact name={texts.node.changed}>{clockTime(changed)}</Fact>}
      </Facts>
      <Attributes name={texts.node.driverInfo} value={node.driverInfo} />
      <Attributes name={texts.node.properties} value={node.properties} />
      <Attributes name={texts.node.extra} value={node.extra} />
    </section>
  );
}

function Attributes({ name, value = {} }: { name: string; value: JsonObject | undefined }) {
  return (
    <div>
      <h3>{name}</h3>
      {Object.keys(value).length === 0 ? <p>{texts.node.none}</p> : <JsonTree value={value} />}
    </div>
  );
}
