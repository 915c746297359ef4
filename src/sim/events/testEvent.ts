import type { Json } from '../../core/json.ts';
import type { BmcState, OfferedAction, RedfishRequest, RedfishResponse } from '../bmc.ts';
import { linkPath } from '../documents.ts';
import { asArgument, refuse } from '../messages.ts';
import { noContent, readParameters } from '../response.ts';
import type { EventInput } from './records.ts';
import { EVENT_TYPES, SEVERITIES } from './records.ts';

const isString = (value: Json) => typeof value === 'string';
const isSeverity = (value: Json) => SEVERITIES.some((severity) => severity === value);

/** The parameters of SubmitTestEvent (DSP0268, EventService). */
const PARAMETERS: ReadonlyMap<string, (value: Json) => boolean> = new Map([
  ['EntityId', isString],
  ['EventGroupId', (value: Json) => Number.isInteger(value)],
  ['EventId', isString],
  ['EventTimestamp', (value: Json) => isString(value) && !Number.isNaN(Date.parse(String(value)))],
  ['EventType', (value: Json) => EVENT_TYPES.some((type) => type === value)],
  ['Message', isString],
  ['MessageArgs', (value: Json) => Array.isArray(value) && value.every(isString)],
  ['MessageId', isString],
  ['MessageSeverity', isSeverity],
  ['OriginOfCondition', (value: Json) => isString(value) || linkPath(value) !== null],
  ['Resolution', isString],
  ['ResolutionSteps', Array.isArray],
  ['Severity', isSeverity],
]);

/** POST to EventService.SubmitTestEvent: sends the event to the subscriptions, and returns 204. */
export function submitTestEvent(request: RedfishRequest, bmc: BmcState, action: OfferedAction): RedfishResponse {
  const parameters = readParameters(request);
  for (const [name, value] of Object.entries(parameters)) {
    const check = PARAMETERS.get(name);
    if (!check) return refuse('ActionParameterUnknown', action.name, name);
    if (!check(value)) return refuse('ActionParameterValueTypeError', asArgument(value), name, action.name);
  }
  if (bmc.documents.get(action.resource)?.ServiceEnabled === false) return refuse('ServiceDisabled', action.resource);
  bmc.events.sendTest(eventOf(parameters));
  return noContent();
}

/** The parameters are checked. */
function eventOf(parameters: Record<string, Json>): EventInput {
  const { EventId, EventTimestamp, EventType, Message, MessageArgs, MessageId, OriginOfCondition } = parameters;
  const severity = parameters.MessageSeverity ?? parameters.Severity;
  const origin = isString(OriginOfCondition ?? null) ? OriginOfCondition : linkPath(OriginOfCondition);
  const given = {
    id: EventId,
    time: EventTimestamp === undefined ? undefined : Date.parse(String(EventTimestamp)),
    type: EventType,
    message: Message,
    args: MessageArgs,
    messageId: MessageId,
    severity,
    origin: origin ?? undefined,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as EventInput;
}
