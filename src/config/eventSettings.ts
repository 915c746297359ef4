import { z } from 'zod';
import { isJsonObject } from '../core/json.ts';
import { parseListenAddress } from '../net/listenAddress.ts';
import { parseAddress } from '../net/networks.ts';
import { choiceSetting, durationSetting, integerSetting, optionalTextSetting } from './setting.ts';

/**
 * Returns the group `events`.
 * @param address what is allowed as an address to listen on
 */
export function eventKeys(address: { allowed: string; pattern: string; isAllowed: (text: string) => boolean }) {
  return z.strictObject({
    listen: optionalTextSetting({
      description:
        'The address at which BMCs post their events, another one than `listen`. Events are not received by push when it is not set.',
      ...address,
    }),
    url: optionalTextSetting({
      description:
        'How BMCs reach that address: the beginning of the URL in their subscriptions, before a secret for each node. Needed when `events.listen` names no single address, or a proxy is in front.',
      allowed:
        'an http:// or https:// URL without credentials, query and fragment, such as https://events.example:6386',
      pattern: '^https?://[^@?#]+$',
      isAllowed: isBase,
    }),
    tls: z
      .strictObject({
        cert_file: optionalTextSetting({
          description:
            'The certificate chain of that address. When set, it accepts TLS only. Files are loaded again when they change.',
          allowed: 'the path of a PEM file',
        }),
        key_file: optionalTextSetting({
          description: 'The private key of that certificate.',
          allowed: 'the path of a PEM file',
        }),
      })
      .prefault({}),
    verify_sender: choiceSetting('warn', ['off', 'warn', 'refuse'], {
      description:
        "Whether a post must come from an address of the node's BMC (the host in its `redfish_address`): other posts are taken, taken and logged, or refused. Set `off` behind a proxy or NAT, where all come from its address.",
    }),
    verify_interval: durationSetting(
      { initial: '5m', least: '1s', most: '1d' },
      'How often the subscription of an event source is verified, and made again if it was lost. A source that is not active is looked at at least as often.',
    ),
    test_interval: durationSetting(
      { initial: '1d', least: '0s', most: '365d' },
      'How often a test event is requested from the BMC of each event source, which proves that its events arrive; 0s: only when a client asks for it.',
    ),
    test_timeout: durationSetting(
      { initial: '30s', least: '100ms', most: '10m' },
      'How long a test event may take to arrive.',
    ),
    webhook: z
      .strictObject({
        url: optionalTextSetting({
          description:
            'Where events are handed over to by POST, each as a signed CloudEvent, in their order and at least once; see events.md. Certificates are checked against the CAs of Node.js (`NODE_EXTRA_CA_CERTS`).',
          allowed:
            'an http:// or https:// URL without credentials and fragment, such as https://receiver.example/events',
          pattern: '^https?://[^@#]+$',
          isAllowed: isWebhook,
        }),
        secret_file: optionalTextSetting({
          description:
            'The secrets that sign them (Standard Webhooks), one per line: each signs, so that a new one can be rolled out. Loaded again when it changes. Required by `events.webhook.url`.',
          allowed: 'the path of a file with secrets: `whsec_` and 24 to 64 bytes in base64',
        }),
        batch: integerSetting(
          { initial: 1, least: 1, most: 500 },
          'The maximum number of events in a request. With 1 each is a request, in the structured mode of CloudEvents; with more, requests have a list of them, in the batched mode, which takes many more events a second and which the receiver must know.',
        ),
        skip_after: durationSetting(
          { initial: '1h', least: '0s', most: '365d' },
          'How long an event that the receiver refuses (400, 413 or 422) is tried before it is skipped, logged and counted; 0s: for ever. Other failures never skip one.',
        ),
      })
      .prefault({}),
    rate: integerSetting(
      { initial: 100, least: 1, most: 100_000 },
      'The number of events a second that are taken from one node, with bursts of ten times as many. More get 503, and BMCs send them again later.',
    ),
    total_rate: integerSetting({ initial: 5000, least: 1, most: 1_000_000 }, 'The same for all nodes together.'),
    connections: integerSetting(
      { initial: 1000, least: 10, most: 1_000_000 },
      'The maximum number of open connections of BMCs. One more closes the connection that has been idle longest.',
    ),
    keep_time: durationSetting({ initial: '30d', least: '1m', most: '3650d' }, 'How long events are kept.'),
    keep_count: integerSetting(
      { initial: 1_000_000, least: 0, most: 100_000_000 },
      'The maximum number of events kept; the oldest are removed first.',
    ),
  });
}

/** Reports conflicts within `events`. Members may be missing or of a wrong type: the schema reports those. */
export function checkEvents({ events }: Record<string, unknown>, context: z.RefinementCtx): void {
  if (!isJsonObject(events)) return;
  const { listen, url } = events;
  const { cert_file: cert, key_file: key } = isJsonObject(events.tls) ? events.tls : {};
  const problem = (path: string[], message: string) =>
    context.addIssue({ code: 'custom', path: ['events', ...path], message });
  const { url: webhook, secret_file: secret } = isJsonObject(events.webhook) ? events.webhook : {};
  if ((webhook ?? null) === null && typeof secret === 'string') {
    problem(['webhook', 'url'], 'required by events.webhook.secret_file');
  }
  if ((secret ?? null) === null && typeof webhook === 'string') {
    problem(['webhook', 'secret_file'], 'required by events.webhook.url');
  }
  if ((cert ?? null) === null && (key ?? null) !== null)
    problem(['tls', 'cert_file'], 'required by events.tls.key_file');
  if ((key ?? null) === null && (cert ?? null) !== null)
    problem(['tls', 'key_file'], 'required by events.tls.cert_file');
  const host = typeof listen === 'string' ? parseListenAddress(listen)?.host : undefined;
  if (host !== undefined && parseAddress(host)?.range() === 'unspecified' && typeof url !== 'string') {
    problem(
      ['url'],
      'required by events.listen when that names all addresses of this machine, not one that BMCs reach',
    );
  }
  if ((listen ?? null) === null && typeof url === 'string') problem(['listen'], 'required by events.url');
}

function isWebhook(text: string): boolean {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return false;
  const { username, password, hash } = new URL(text);
  return username === '' && password === '' && hash === '';
}

function isBase(text: string): boolean {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return false;
  const { username, password, search, hash } = new URL(text);
  return username === '' && password === '' && search === '' && hash === '';
}
