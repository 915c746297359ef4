import { z } from 'zod';
import { pythonText } from '../../core/arguments.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import { EVENT_TYPES, segmentFault } from '../../redfish/index.ts';

const NO_ID = "id can't be None";
const HEADER = 'HttpHeaders: each header must be an object of a name and a text';

/** The argument of the methods about one subscription. The missing id is worded as recorded ("delete_subscription without id"). */
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
    .describe('The id that the BMC gave the subscription'),
});

/** The arguments of create_subscription: Ironic's, with its words for each fault (recorded: "create_subscription …"). */
export const newSubscription = z
  .object({
    Destination: uri('Destination').describe('The URL to which the BMC sends its events. Required'),
    destination: uri('Destination').describe(
      'The same as Destination, under the name that older help texts of Ironic had',
    ),
    Context: z
      .string({ error: ({ input }) => `Context ${shown(input)} is not a valid string` })
      .optional()
      .describe('A text that comes back with each event. Default ""'),
    Protocol: z
      .string({ error: ({ input }) => `Protocol ${shown(input)} is not a string` })
      .optional()
      .describe('The protocol of the events. Default Redfish'),
    EventTypes: z
      .array(z.string(), { error: ({ input }) => eventTypesFault(input as Json, EVENT_TYPES) })
      .optional()
      .describe(
        'The kinds of events to send, of those that the BMC lists; where it lists none, of those of the Redfish schema. Default ["Alert"]',
      ),
    HttpHeaders: z
      .array(z.record(z.string(), z.string(), { error: HEADER }), {
        error: ({ input }) => `HttpHeaders ${shown(input)} is not a list of headers`,
      })
      .optional()
      .describe('Headers that the BMC sends with each event, as a list of objects; never shown again'),
    if_exists: z
      .enum(['refuse', 'return'])
      .default('refuse')
      .describe(
        'With "return", a subscription with the same Destination and Context that the BMC has already is answered, and none is made. With "refuse" the call fails where the BMC takes no second one',
      ),
  })
  .superRefine(({ Destination, destination }, context) => {
    if (Destination === undefined && destination === undefined) {
      context.addIssue({ code: 'custom', path: ['Destination'], message: destinationFault(undefined) });
    } else if (Destination !== undefined && destination !== undefined && Destination !== destination) {
      context.addIssue({
        code: 'custom',
        path: ['destination'],
        message: 'must be the same as Destination, or left out',
      });
    }
  });

/** What is wrong with the event types, as Ironic says it. */
export function eventTypesFault(types: Json, allowed: readonly string[]): string {
  return `EventTypes ${shown(types)} is not a valid value, allowed values ${pythonText([...allowed], true)}`;
}

/** Texts of `headers` that must not show anywhere. */
export function headerSecrets(headers: JsonObject[]): string[] {
  return headers.flatMap((header) => Object.values(header).filter((value) => typeof value === 'string'));
}

function uri(name: string) {
  return z
    .string({ error: ({ input }) => `${name} ${shown(input)} is not a valid URI` })
    .superRefine((text, context) => {
      // As Ironic checks it: a scheme and a host must be there.
      if (/^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]/i.test(text) && !/\s/.test(text) && URL.canParse(text)) return;
      context.addIssue({ code: 'custom', message: destinationFault(text) });
    })
    .optional();
}

function destinationFault(value: Json | undefined): string {
  return `Destination ${shown(value)} is not a valid URI`;
}

function shown(value: unknown): string {
  const text = pythonText(value as Json | undefined);
  return text.length > 300 ? `${text.slice(0, 299)}…` : text;
}
