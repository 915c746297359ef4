import { EVENT_SEVERITIES } from '../../core/events/event.ts';
import { EVENT_SOURCE_STATES, EVENT_TRANSPORTS } from '../../core/events/eventSource.ts';
import type { RouteDescription, Schema } from './description.ts';
import { limit, marker, returns } from './descriptions.ts';
import { page, ref } from './schemas.ts';

const texts: Schema = {
  type: ['array', 'null'],
  items: { type: 'string', minLength: 1, maxLength: 255 },
  maxItems: 100,
};
const source = ref('EventSource');

export const eventSources = returns('List event sources', 'A page of sources', page('event_sources', source), {
  query: { state: { enum: EVENT_SOURCE_STATES }, driver: { type: 'string' }, limit, marker },
});
export const eventSource = returns('Show the event source of a node', 'The source', source, {
  errors: ['event_source_not_found'],
});
export const newEventSource = returns(
  'Make the events of a node arrive',
  'The source; its subscription follows',
  source,
  {
    body: {
      type: 'object',
      properties: {
        transport: {
          description: 'How the events arrive; null or absent: whichever works, push first.',
          enum: [...EVENT_TRANSPORTS, null],
        },
        selection: {
          description: 'What the BMC is asked to send; null or absent: everything.',
          type: ['object', 'null'],
          properties: {
            registry_prefixes: texts,
            message_ids: texts,
            resource_types: texts,
            severities: { ...texts, items: { enum: EVENT_SEVERITIES } },
          },
          additionalProperties: false,
        },
      },
      additionalProperties: false,
    },
    errors: ['failed_precondition', 'driver_not_found'],
  },
);
export const noEventSource: RouteDescription = {
  summary: 'End the events of a node',
  responses: { 204: { description: 'The subscription will be removed from the BMC' } },
  errors: ['event_source_not_found'],
};
export const eventSourceTest = returns('Request a test event, and wait for it', 'The source after the test', source, {
  errors: [
    'event_source_not_found',
    'failed_precondition',
    'deadline_exceeded',
    'driver_not_found',
    'bmc_unreachable',
    'bmc_timeout',
    'bmc_refused',
    'bmc_failed',
    'bmc_busy',
    'bmc_unsupported',
    'bmc_tls_failed',
    'outcome_unknown',
  ],
});
