import { z } from 'zod';
import { pythonText } from '../../core/arguments.ts';
import type { Json } from '../../core/json.ts';
import { EVENT_TYPES, segmentFault } from '../../redfish/index.ts';
import { SOURCE_DESTINATION } from './sourceSubscription.ts';

const NO_ID = "id can't be None";
const HEADER = 'HttpHeaders: each header must be an object of names and strings';

/** The argument of methods about one subscription. A missing id is worded as recorded ("delete_subscription without id"). */
export const subscriptionId = z.object({
  id: z
    .union([z.string(), z.number()], {
      error: ({ input }) => (input === undefined ? NO_ID : 'must be a string or a number'),
    })
    .transform(String)
    .superRefine((id, context) => {
      const fault = id === '' ? NO_ID : segmentFault(id);
      if (fault === null) return;
      context.addIssue({
        code: 'custom',
        message: fault === NO_ID ? NO_ID : `must be the id of a subscription: ${fault}`,
      });
    })
    .describe('The id of the subscription at the BMC'),
});

/** The arguments of create_subscription, with Ironic's wording of each fault (recorded: "create_subscription …"). */
export const newSubscription = z
  .object({
    Destination: uri('Destination').describe(
      'The URL to which the BMC sends its events, or passthru: for this service, which then keeps the subscription alive as the node’s event source. Required',
    ),
    destination: uri('Destination').meta({
      description: 'Alias of Destination, from older help texts of Ironic',
      deprecated: true,
    }),
    Context: z
      .string({ error: ({ input }) => `Context ${quote(input)} is not a valid string` })
      .optional()
      .describe('A string that the BMC sends with each event. Default ""'),
    Protocol: z
      .string({ error: ({ input }) => `Protocol ${quote(input)} is not a string` })
      .optional()
      .describe('The protocol of the events. Default Redfish'),
    EventTypes: z
      .array(z.string(), { error: ({ input }) => eventTypesFault(input as Json, EVENT_TYPES) })
      .optional()
      .describe(
        'The types of events to send, out of those that the BMC lists, or those of the Redfish schema if it lists none. Default ["Alert"]',
      ),
    HttpHeaders: z
      .array(z.record(z.string(), z.string(), { error: HEADER }), {
        error: ({ input }) => `HttpHeaders ${quote(input)} is not a list of headers`,
      })
      .optional()
      .describe('Headers that the BMC sends with each event, as a list of objects; never returned'),
    if_exists: z
      .enum(['refuse', 'return'])
      .default('refuse')
      .describe(
        'With "return", an existing subscription with the same Destination and Context is returned, and none is created; the call fails while a subscription that may be it cannot be read. With "refuse", the call fails where the BMC refuses a second one',
      ),
  })
  .superRefine(({ Destination, destination }, context) => {
    if (Destination === undefined && destination === undefined) {
      context.addIssue({ code: 'custom', path: ['Destination'], message: destinationFault(undefined) });
    } else if (Destination !== undefined && destination !== undefined && Destination !== destination) {
      context.addIssue({
        code: 'custom',
        path: ['destination'],
        message: 'must be the same as Destination, or omitted',
      });
    }
  })
  .meta({ anyOf: [{ required: ['Destination'] }, { required: ['destination'] }] });

/** Returns the error of invalid event types, worded as Ironic does. */
export function eventTypesFault(types: Json, allowed: readonly string[]): string {
  return `EventTypes ${quote(types)} is not a valid value, allowed values ${pythonText([...allowed], true)}`;
}

function uri(name: string) {
  return z
    .string({ error: ({ input }) => `${name} ${quote(input)} is not a valid URI` })
    .superRefine((text, context) => {
      if (text === SOURCE_DESTINATION) return;
      // Ironic requires a scheme and a host.
      if (/^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]/i.test(text) && !/\s/.test(text) && URL.canParse(text)) return;
      context.addIssue({ code: 'custom', message: destinationFault(text) });
    })
    .optional();
}

function destinationFault(value: Json | undefined): string {
  return `Destination ${quote(value)} is not a valid URI`;
}

function quote(value: unknown): string {
  const text = pythonText(value as Json | undefined);
  return text.length > 300 ? `${text.slice(0, 299)}…` : text;
}
