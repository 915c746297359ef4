import type { JsonObject } from '../../core/json.ts';
import type { Quirk } from '../bmc.ts';
import { without } from '../documents.ts';
import { changeShown } from '../quirk.ts';

/** What a BMC shows of a subscription, other than what it was given. */
export const destinationQuirks: Quirk[] = [
  respelled('port', 'with its default port (bmcweb)', (url) =>
    url.replace(/^(https?):\/\/([^/?#:]+)(?=[/?#]|$)/i, (_, scheme: string, host: string) =>
      [scheme, '://', host, scheme.toLowerCase() === 'https' ? ':443' : ':80'].join(''),
    ),
  ),
  respelled('no-port', 'without its default port', (url) =>
    url.replace(/^(https:\/\/[^/?#:]+):443(?=[/?#]|$)/i, '$1').replace(/^(http:\/\/[^/?#:]+):80(?=[/?#]|$)/i, '$1'),
  ),
  respelled('lower-host', 'with its host in lower case', (url) =>
    url.replace(/^[a-z]+:\/\/[^/?#]+/i, (origin) => origin.toLowerCase()),
  ),
  respelled('upper-host', 'with its host in upper case', (url) =>
    url.replace(/^([a-z]+:\/\/)([^/?#]+)/i, (_, scheme: string, host: string) => scheme + host.toUpperCase()),
  ),
  respelled('upper-scheme', 'with its scheme in upper case', (url) =>
    url.replace(/^[a-z]+(?=:)/i, (scheme) => scheme.toUpperCase()),
  ),
  respelled('slash', 'with the slash of an empty path', (url) => url.replace(/^([a-z]+:\/\/[^/?#]+)$/i, '$1/')),
  respelled('no-slash', 'without the slash of an empty path', (url) => url.replace(/^([a-z]+:\/\/[^/?#]+)\/$/i, '$1')),
  respelled('percent-case', 'with its percent codes in lower case', (url) =>
    url.replace(/%[0-9A-F]{2}/gi, (code) => code.toLowerCase()),
  ),
  shown('destination-hidden', 'the Destination of a subscription is null in every response', (subscription) => ({
    ...subscription,
    Destination: null,
  })),
  shown('context-dropped', 'a subscription is shown without Context', (subscription) =>
    without(subscription, 'Context'),
  ),
  shown('context-emptied', 'a subscription is shown with an empty Context', (subscription) => ({
    ...subscription,
    Context: '',
  })),
  shown('context-null', 'a subscription is shown with a Context of null', (subscription) => ({
    ...subscription,
    Context: null,
  })),
  shown('context-changed', 'a subscription is shown with a Context of the BMC', (subscription) => ({
    ...subscription,
    Context: 'Public',
  })),
  shown('http-headers-dropped', 'a subscription is shown without HttpHeaders', (subscription) =>
    without(subscription, 'HttpHeaders'),
  ),
];

function respelled(form: string, how: string, respell: (url: string) => string): Quirk {
  return shown(`destination-${form}`, `the Destination of a subscription is shown ${how}`, (subscription) =>
    typeof subscription.Destination === 'string'
      ? { ...subscription, Destination: respell(subscription.Destination) }
      : subscription,
  );
}

function shown(name: string, description: string, change: (subscription: JsonObject) => JsonObject): Quirk {
  return { name, description, handle: changeShown('EventDestination', change) };
}
