import { EVENT_SEVERITIES } from '../../core/events/event.ts';
import type { RouteDescription } from './description.ts';
import { flag, limit, returns } from './descriptions.ts';
import { arrayOf, ref } from './schemas.ts';
import { streamOf, WATCHED, WATCHED_NODE } from './streams.ts';

const text = { type: 'string' };
const time = { type: 'string', format: 'date-time' };

const FILTERS = {
  node: WATCHED_NODE,
  severity: { description: 'Only events at least this bad.', enum: EVENT_SEVERITIES },
  message: {
    description: 'A message id, its last part, or the name of a registry, in any case; repeatable.',
    type: 'string',
  },
  origin: { description: 'Only events about this resource or one below it.', type: 'string' },
  raw: { ...flag, description: 'Whether the documents have the record as the BMC sent it.' },
};

export const events = returns(
  'List hardware events, newest first',
  'A page of events, which may be short or empty although there are more',
  {
    type: 'object',
    properties: {
      events: arrayOf(ref('Event')),
      next: { type: 'string', format: 'uri' },
      cursor: { description: 'With which a watch tells what came after the first page.', ...text },
    },
    required: ['events'],
    additionalProperties: false,
  },
  {
    query: {
      ...FILTERS,
      since: { ...time, description: 'Only events received at this time or later.' },
      until: { ...time, description: 'Only events received before this time.' },
      limit,
      marker: {
        description: 'ID of the last entry of the previous page.',
        type: 'string',
        pattern: '^[a-z0-9]{4,16}-[0-9]{1,15}$',
      },
    },
    errors: ['node_not_found'],
  },
);

export const eventsStream: RouteDescription = {
  summary: 'Watch all hardware events that match',
  query: { ...FILTERS, ...WATCHED },
  headers: ['Last-Event-ID'],
  responses: streamOf(
    'event',
    ['event', 'current', 'reset'],
    'Event',
    'A stream of events: `current` when what came after the cursor has been told, or at once without one; `event` for each; `reset` before the oldest that is kept when the cursor is too old. `id` is the cursor. The schema describes one event',
  ),
  errors: ['node_not_found', 'rate_limited'],
};
