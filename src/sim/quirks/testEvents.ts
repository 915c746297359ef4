import type { BmcState, Quirk, RedfishRequest, RedfishResponse } from '../bmc.ts';
import { without } from '../documents.ts';
import { findMessage, messageIdParts } from '../events/messageTexts.ts';
import { asArgument, refuse, refuseAsVendor } from '../messages.ts';
import { actionName, changeAll, objectIn } from '../quirk.ts';
import { noContent } from '../response.ts';

export const SUBMIT_TEST_EVENT = 'EventService.SubmitTestEvent';

/** What SubmitTestEvent takes, and what comes of it. */
export const testEventQuirks: Quirk[] = [
  {
    name: 'test-event-missing',
    description: 'the event service has no SubmitTestEvent',
    changeDocuments: (documents) =>
      changeAll(documents, 'EventService', (service) => ({
        ...service,
        Actions: without(Object(service.Actions), `#${SUBMIT_TEST_EVENT}`),
      })),
  },
  asked(
    'test-event-ilo',
    'SubmitTestEvent requires EventType, Severity, and OriginOfCondition as a plain text (HPE iLO)',
    (parameters) => {
      const required = ['EventType', 'Severity', 'OriginOfCondition'];
      const missing = required.find((name) => !(name in parameters));
      if (missing !== undefined) return refuse('ActionParameterMissing', SUBMIT_TEST_EVENT, missing);
      return typeof parameters.OriginOfCondition === 'string' ? undefined : wrongType('OriginOfCondition', parameters);
    },
  ),
  asked(
    'test-event-idrac',
    'SubmitTestEvent requires a MessageId, and refuses most other parameters (Dell)',
    (parameters) => {
      const known = ['MessageId', 'Destination', 'EventTypes', 'Context', 'Protocol'];
      return 'MessageId' in parameters
        ? unknownOf(parameters, known)
        : refuse('ActionParameterMissing', SUBMIT_TEST_EVENT, 'MessageId');
    },
    ['Destination', 'EventTypes', 'Context', 'Protocol'],
  ),
  asked(
    'test-event-xcc',
    'SubmitTestEvent refuses EventType and Severity, which it does not know (Lenovo)',
    (parameters) =>
      unknownOf(parameters, [
        'EventId',
        'EventTimestamp',
        'EventGroupId',
        'Message',
        'MessageArgs',
        'MessageId',
        'OriginOfCondition',
      ]),
  ),
  asked('test-event-needs-type', 'SubmitTestEvent requires an EventType (older schemas)', (parameters) =>
    'EventType' in parameters ? undefined : refuse('ActionParameterMissing', SUBMIT_TEST_EVENT, 'EventType'),
  ),
  ids('base', 'of the registry Base', (id) => messageIdParts(id).registry === 'Base'),
  ids('standard', "of DMTF's registries", (id, bmc) => findMessage(bmc.blueprint.documents, id)?.owner === 'DMTF'),
  ids('vendor', "of the vendor's registry", (id, bmc) => {
    const owner = findMessage(bmc.blueprint.documents, id)?.owner;
    return owner !== undefined && owner !== 'DMTF';
  }),
  ids(
    'known',
    'of its registries, with their version and in their case',
    (id, bmc) => findMessage(bmc.blueprint.documents, id)?.id === id,
  ),
  changed('test-event-message-id-lower', 'a test event has its MessageId in lower case', (parameters) => ({
    ...parameters,
    ...(typeof parameters.MessageId === 'string' ? { MessageId: parameters.MessageId.toLowerCase() } : {}),
  })),
  changed('test-event-message-id-upper', 'a test event has its MessageId in upper case', (parameters) => ({
    ...parameters,
    ...(typeof parameters.MessageId === 'string' ? { MessageId: parameters.MessageId.toUpperCase() } : {}),
  })),
  {
    ...changed(
      'test-event-fixed',
      'SubmitTestEvent takes anything, and sends one event of its own (older bmcweb)',
      () => ({
        EventId: 'TestID',
        MessageId: 'OpenBMC.0.2.TestEventLog',
        Message: 'Generated test event',
        MessageArgs: [],
        Severity: 'OK',
      }),
    ),
    events: { testsFiltered: false },
  },
  {
    name: 'test-event-unfiltered',
    description: 'a test event reaches every subscription, whatever its filters (bmcweb)',
    events: { testsFiltered: false },
  },
  {
    name: 'test-event-lost',
    description: 'SubmitTestEvent gets 204, and sends nothing',
    handle: (request, bmc, next) => (isTest(request, bmc) ? noContent() : next(request)),
  },
  {
    name: 'test-event-500',
    description: 'SubmitTestEvent gets 500',
    handle: (request, bmc, next) => (isTest(request, bmc) ? refuse('InternalError') : next(request)),
  },
];

function isTest(request: RedfishRequest, bmc: BmcState): boolean {
  return actionName(request, bmc) === SUBMIT_TEST_EVENT;
}

/** Makes a quirk that refuses some requests, and passes on the others without the parameters `dropped`. */
function asked(
  name: string,
  description: string,
  refusal: (parameters: Record<string, unknown>) => RedfishResponse | undefined,
  dropped: string[] = [],
): Quirk {
  return {
    name,
    description,
    handle: (request, bmc, next) => {
      if (!isTest(request, bmc)) return next(request);
      const parameters = objectIn(request);
      const passed = () => next({ ...request, body: JSON.stringify(without(parameters, ...dropped)) });
      return refusal(parameters) ?? passed();
    },
  };
}

/** Makes a quirk that takes only some MessageIds. */
function ids(form: string, which: string, takes: (id: string, bmc: BmcState) => boolean): Quirk {
  return {
    name: `test-event-ids-${form}`,
    description: `SubmitTestEvent takes only a MessageId ${which}`,
    handle: (request, bmc, next) => {
      if (!isTest(request, bmc)) return next(request);
      const { MessageId: id } = objectIn(request);
      if (id === undefined || takes(String(id), bmc)) return next(request);
      return refuseAsVendor(400, {
        id: 'Base.1.18.ActionParameterValueNotInList',
        text: `The value '${id}' for the parameter MessageId in the action ${SUBMIT_TEST_EVENT} is not in the list of acceptable values.`,
        args: [String(id), 'MessageId', SUBMIT_TEST_EVENT],
      });
    },
  };
}

function changed(
  name: string,
  description: string,
  change: (parameters: Record<string, unknown>) => Record<string, unknown>,
): Quirk {
  return {
    name,
    description,
    handle: (request, bmc, next) =>
      isTest(request, bmc) ? next({ ...request, body: JSON.stringify(change(objectIn(request))) }) : next(request),
  };
}

function unknownOf(parameters: Record<string, unknown>, known: readonly string[]): RedfishResponse | undefined {
  const unknown = Object.keys(parameters).find((name) => !known.includes(name));
  return unknown === undefined ? undefined : refuse('ActionParameterUnknown', SUBMIT_TEST_EVENT, unknown);
}

function wrongType(name: string, parameters: Record<string, unknown>): RedfishResponse {
  const value = asArgument((parameters[name] ?? null) as string);
  return refuse('ActionParameterValueTypeError', value, name, SUBMIT_TEST_EVENT);
}
