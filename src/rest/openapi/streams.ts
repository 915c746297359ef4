import { REQUEST_HEADERS } from './description.ts';
import { record, ref } from './schemas.ts';

/** The parameters of every stream of what changes. */
export const WATCHED = {
  cursor: { ...REQUEST_HEADERS['Last-Event-ID'].schema, description: 'As Last-Event-ID, which takes precedence.' },
};

export const WATCHED_NODE = { description: 'UUID or name of a node; repeatable.', type: 'string' };

/** Returns the response of a stream of `events`, of which `item` has a document of the schema. */
export const streamOf = (
  item: string,
  events: readonly string[],
  schema: string,
  description = `A stream of events: \`${item}\` for each of the current state, then \`current\`, then every change; \`reset\` before the current state when the cursor is too old. \`id\` is the cursor. The schema describes one event`,
) => ({
  200: {
    description,
    schema: {
      ...record({
        event: { enum: events },
        id: { type: 'string' },
        data: { type: 'string', contentMediaType: 'application/json', contentSchema: ref(schema) },
      }),
      // The events of the current state have no cursor.
      required: ['event', 'data'],
    },
    mediaType: 'text/event-stream',
  },
});
