import { ConnectError } from '@connectrpc/connect';
import { useMutation } from '@tanstack/react-query';
import type { Event } from '../../../gen/passthru/v1/event_pb.ts';
import { rawEvent } from '../live/events.ts';
import { Dialog } from '../parts/Dialog.tsx';
import { Fact, Facts } from '../parts/Facts.tsx';
import { Json } from '../parts/Json.tsx';
import { Message } from '../parts/Message.tsx';
import { clockTime, millis } from '../parts/time.tsx';
import { texts } from '../texts.ts';
import { eventText } from './eventText.ts';
import { SeverityChip } from './severity.tsx';

/** All that is known of an event. */
export function EventDialog({ event, onClose }: { event: Event; onClose(): void }) {
  const raw = useMutation({ mutationFn: () => rawEvent(event) });
  const { bmcTime, messageArgs, truncated } = event;
  return (
    <Dialog title={eventText(event)} onClose={onClose} className="wide">
      <Facts>
        <Fact name={texts.events.severity}>
          <SeverityChip event={event} />
        </Fact>
        <Fact name={texts.events.node}>{event.nodeName || event.nodeUuid}</Fact>
        <Fact name={texts.events.time}>{clockTime(millis(event.receiveTime) ?? 0)}</Fact>
        <Fact name={texts.events.bmcTime}>{bmcTime && clockTime(millis(bmcTime) ?? 0)}</Fact>
        <Fact name={texts.events.messageId}>{event.messageId}</Fact>
        <Fact name={texts.events.args}>{messageArgs.join(', ')}</Fact>
        <Fact name={texts.events.origin}>{event.origin}</Fact>
        <Fact name={texts.events.type}>{event.eventType}</Fact>
        <Fact name={texts.events.bmcId}>{event.bmcEventId}</Fact>
      </Facts>
      {truncated && <p>{texts.events.truncated}</p>}
      {raw.error !== null && <Message kind="error">{ConnectError.from(raw.error).rawMessage}</Message>}
      {raw.isSuccess && raw.data === undefined && <Message kind="info">{texts.events.notKept}</Message>}
      {raw.data?.raw !== undefined && <Json value={raw.data.raw} label={texts.events.raw} />}
      <div className="choices">
        {!raw.isSuccess && (
          <button
            type="button"
            aria-disabled={raw.isPending || undefined}
            onClick={() => raw.isPending || raw.mutate()}
          >
            {texts.events.showRaw}
          </button>
        )}
        <button type="button" onClick={onClose}>
          {texts.close}
        </button>
      </div>
    </Dialog>
  );
}
