import { durationMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { EventService, type EventSource } from '../../../gen/passthru/v1/event_pb.ts';
import { Confirm } from '../parts/Confirm.tsx';
import { useChanges } from '../parts/emitter.ts';
import { Fact, Facts } from '../parts/Facts.tsx';
import { GuardedButton } from '../parts/GuardedButton.tsx';
import { Message } from '../parts/Message.tsx';
import { Page } from '../parts/Page.tsx';
import { clockTime, millis, Since } from '../parts/time.tsx';
import { hasRole, session } from '../session/session.ts';
import { texts } from '../texts.ts';
import { SourceForm, type Wish } from './SourceForm.tsx';
import { nameOfTransport, SourceChip, testText } from './sourceState.tsx';

/** Milliseconds between two readings: the contract has no watch of sources. */
const INTERVAL = 2000;

const client = createClient(EventService, session.transport);

/** The event source of one node: how far it is, its test, and what is wished. */
export function SourcePage({ params }: { params: { node: string } }) {
  const { node } = params;
  useChanges(session);
  const { data, error, isFetched, refetch } = useQuery({
    queryKey: ['event source', node],
    queryFn: ({ signal }) => readSource(node, signal),
    refetchInterval: INTERVAL,
  });
  const [busy, setBusy] = useState(false);
  const [told, setTold] = useState<{ kind: 'error' | 'success'; text: string } | null>(null);
  const [asked, setAsked] = useState(false);
  const source = data?.source ?? null;
  const title = source?.nodeName || node;
  const reason = busy ? texts.sources.busy : hasRole(session.state, 'operator') ? null : texts.needsRole('operator');

  /** Runs a request, then shows what it came to, and the source as it is. */
  const run = async (request: () => Promise<string | null>) => {
    setBusy(true);
    setTold(null);
    try {
      const text = await request();
      if (text !== null) setTold({ kind: 'success', text });
    } catch (thrown) {
      setTold({ kind: 'error', text: ConnectError.from(thrown).rawMessage });
    } finally {
      setBusy(false);
      void refetch();
    }
  };
  const test = () =>
    run(async () => {
      const { roundTrip } = (await client.testEventSource({ node })).source?.lastTest ?? {};
      return roundTrip === undefined
        ? null
        : texts.sources.tested(texts.milliseconds(Math.round(durationMs(roundTrip))));
    });
  const set = (wish: Wish) =>
    run(async () => {
      await client.setEventSource({ node, ...wish });
      return null;
    });
  const remove = () =>
    run(async () => {
      await client.deleteEventSource({ node });
      return texts.sources.removed;
    });

  // Not while it is read again: what has been entered in the form would be lost.
  if (!isFetched) {
    return (
      <Page title={texts.sources.one(node)}>
        <p role="status">{texts.loading}</p>
      </Page>
    );
  }
  return (
    <Page
      title={texts.sources.one(title)}
      actions={
        <>
          {source !== null && (
            <>
              <GuardedButton reason={reason} onClick={() => void test()}>
                {texts.sources.test}
              </GuardedButton>
              <GuardedButton className="danger" reason={reason} onClick={() => setAsked(true)}>
                {texts.sources.remove}
              </GuardedButton>
            </>
          )}
          <Link href={`/events?node=${encodeURIComponent(node)}`}>{texts.events.title}</Link>
          <Link href="/events/sources">{texts.sources.title}</Link>
        </>
      }
    >
      {told !== null && <Message kind={told.kind}>{told.text}</Message>}
      {told === null && error !== null && <Message kind="error">{ConnectError.from(error).rawMessage}</Message>}
      {told === null && data?.none !== undefined && <Message kind="info">{data.none}</Message>}
      {source !== null && <State source={source} />}
      <section>
        <h2>{texts.sources.change}</h2>
        <SourceForm
          key={source === null ? 'none' : String(millis(source.updateTime ?? source.createTime))}
          source={source}
          reason={reason}
          onSet={(wish) => void set(wish)}
        />
      </section>
      {asked && (
        <Confirm
          question={texts.sources.askRemove(title)}
          action={texts.sources.remove}
          onConfirm={() => void remove()}
          onClose={() => setAsked(false)}
        >
          <p>{texts.sources.removeHelp}</p>
        </Confirm>
      )}
    </Page>
  );
}

/** Reads the source of a node, or why it has none, which is no failure. */
async function readSource(node: string, signal: AbortSignal): Promise<{ source: EventSource | null; none?: string }> {
  try {
    const { source } = await client.getEventSource({ node }, { signal });
    return { source: source ?? null };
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    if (error.code !== Code.NotFound) throw error;
    return { source: null, none: error.rawMessage };
  }
}

function State({ source }: { source: EventSource }) {
  const { nodeUuid, nodeName, lastTest, lastDriftTime, lastEventTime, verifyTime, nextVerifyTime } = source;
  return (
    <Facts>
      <Fact name={texts.sources.state}>
        <span role="status">
          <SourceChip state={source.state} />
        </span>
      </Fact>
      <Fact name={texts.sources.reason}>{source.reason}</Fact>
      <Fact name={texts.sources.stateSince}>{source.stateTime && <Since at={millis(source.stateTime)} />}</Fact>
      <Fact name={texts.sources.node}>
        <Link href={`/nodes/${nodeUuid}`}>{nodeName || nodeUuid}</Link>
      </Fact>
      <Fact name={texts.sources.activeTransport}>{texts.sources.inUse[nameOfTransport(source.activeTransport)]}</Fact>
      <Fact name={texts.sources.lastEvent}>
        {lastEventTime === undefined ? texts.sources.never : clockTime(millis(lastEventTime) ?? 0)}
      </Fact>
      <Fact name={texts.sources.lastTest}>
        {lastTest?.requestTime !== undefined && `${clockTime(millis(lastTest.requestTime) ?? 0)}: `}
        {testText(source)}
      </Fact>
      <Fact name={texts.sources.subscription}>{source.subscription}</Fact>
      <Fact name={texts.sources.verified}>{verifyTime && clockTime(millis(verifyTime) ?? 0)}</Fact>
      <Fact name={texts.sources.nextVerification}>{nextVerifyTime && <Since at={millis(nextVerifyTime)} until />}</Fact>
      <Fact name={texts.sources.drift}>
        {source.lastDrift !== '' && `${clockTime(millis(lastDriftTime) ?? 0)}: ${source.lastDrift}`}
      </Fact>
      <Fact name={texts.sources.renewals}>{String(source.renewals)}</Fact>
      <Fact name={texts.sources.owner}>{source.owner}</Fact>
    </Facts>
  );
}
