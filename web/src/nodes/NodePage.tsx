import type { JsonObject } from '@bufbuild/protobuf';
import { useQuery } from '@connectrpc/connect-query';
import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import type { Node } from '../../../gen/passthru/v1/node_pb.ts';
import { PassthruService } from '../../../gen/passthru/v1/passthru_pb.ts';
import { Methods } from '../calls/Methods.tsx';
import { Fact, Facts } from '../parts/Facts.tsx';
import { JsonTree } from '../parts/JsonView.tsx';
import { Message } from '../parts/Message.tsx';
import { Page } from '../parts/Page.tsx';
import { clockTime, millis } from '../parts/time.tsx';
import { texts } from '../texts.ts';
import { LockChip } from './LockChip.tsx';
import { NodeActions } from './NodeActions.tsx';
import { nodeTitle } from './nodeState.ts';
import { ReservationFacts } from './ReservationFacts.tsx';
import { useNode } from './useNode.ts';
import './node.css';

/** One node: what it is, who holds it, and its methods, one of which can be called. */
export function NodePage({ params: { node: ident } }: { params: { node: string } }) {
  const { node, removed, problem } = useNode(ident);
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
      <NodeMethods node={node} />
      <Properties node={node} />
    </Page>
  );
}

function NodeMethods({ node }: { node: Node }) {
  const { uuid, driver, vendorInterface, reservation } = node;
  const { data, error, refetch } = useQuery(PassthruService.method.listNodeMethods, { node: uuid });
  // biome-ignore lint/correctness/useExhaustiveDependencies: they decide which methods there are
  useEffect(() => void refetch(), [refetch, driver, vendorInterface]);
  return (
    <Methods
      title={texts.node.methods}
      target={{ kind: 'node', name: nodeTitle(node), uuid }}
      isFree={reservation === undefined}
      methods={data?.methods}
      problem={error?.rawMessage ?? null}
      none={texts.node.noMethods(vendorInterface)}
    />
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
        <Fact name={texts.node.driver}>
          <Link href={`/drivers/${encodeURIComponent(driver)}`}>{driver}</Link>
        </Fact>
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
