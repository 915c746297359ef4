import type { ServiceImpl } from '@connectrpc/connect';
import type { EventSelection as EventSelectionMessage, EventService } from '../../gen/passthru/v1/event_pb.ts';
import { severityFromMessage } from '../contract/event.ts';
import { eventSourceToMessage, sourceStateFromMessage, transportFromMessage } from '../contract/eventSource.ts';
import type { EventSelection } from '../core/events/eventSource.ts';
import { checkNodeIdent, isUuid } from '../core/node.ts';
import type { Enter } from './authorize.ts';
import { callEnd } from './deadline.ts';
import { invalidField, nextToken, pageSize, previousKey, textOrNull } from './fields.ts';

/** Implements the RPCs of EventService about the sources of events. */
export function eventSourceService(enter: Enter): Partial<ServiceImpl<typeof EventService>> {
  return {
    async setEventSource(request, context) {
      checkNodeIdent(request.node);
      const transport = transportFromMessage(request.transport);
      if (transport === undefined) {
        throw invalidField('transport', `must be an EventTransport, not ${request.transport}`);
      }
      const selection = readSelection(request.selection);
      const { core, caller } = enter(context);
      const source = await core.eventSources.set(request.node, { transport, selection }, caller);
      return { source: eventSourceToMessage(source) };
    },
    async getEventSource(request, context) {
      checkNodeIdent(request.node);
      const { core } = enter(context);
      return { source: eventSourceToMessage(await core.eventSources.get(request.node)) };
    },
    async listEventSources(request, context) {
      const limit = pageSize(request.pageSize);
      const after = previousKey('event_sources', request.pageToken, isUuid);
      const state = sourceStateFromMessage(request.state);
      if (state === undefined) throw invalidField('state', `must be an EventSourceState, not ${request.state}`);
      const { core } = enter(context);
      const query = { limit, after, state, driver: textOrNull(request.driver) };
      const { sources, next } = await core.eventSources.list(query);
      const page = { items: sources, more: next !== null };
      return {
        sources: sources.map(eventSourceToMessage),
        nextPageToken: nextToken('event_sources', page, ({ nodeUuid }) => nodeUuid),
      };
    },
    async deleteEventSource(request, context) {
      checkNodeIdent(request.node);
      const { core, caller } = enter(context);
      await core.eventSources.delete(request.node, caller);
      return {};
    },
    async testEventSource(request, context) {
      checkNodeIdent(request.node);
      const { core, caller } = enter(context);
      using end = callEnd(context);
      const source = await core.eventSources.test(request.node, caller, end.signal);
      return { source: eventSourceToMessage(source) };
    },
  };
}

function readSelection(selection: EventSelectionMessage | undefined): EventSelection {
  const { registryPrefixes = [], messageIds = [], resourceTypes = [], severities = [] } = selection ?? {};
  return {
    registryPrefixes,
    messageIds,
    resourceTypes,
    severities: severities.map((severity) => {
      const known = severityFromMessage(severity);
      if (known) return known;
      throw invalidField('selection.severities', `must have EventSeverity values, not ${severity}`);
    }),
  };
}
