import { z } from 'zod';
import { isNetwork } from '../net/networks.ts';
import { durationSetting, integerSetting, listSetting } from './setting.ts';

/** The group `limits`: what one client may take from the others. */
export const limitKeys = z.strictObject({
  connections: integerSetting(
    4000,
    10,
    1_000_000,
    'How many connections may be open. One more ends the one that is idle longest; when none is idle it is answered with 503.',
  ),
  connections_per_peer: integerSetting(
    1000,
    1,
    1_000_000,
    'The same for one peer: an IPv4 address or an IPv6 /64. A proxy in front is one peer.',
  ),
  calls_per_caller: integerSetting(
    1000,
    1,
    1_000_000,
    'How many calls one caller may have under way; one more is answered with 429 and RESOURCE_EXHAUSTED. With `auth.type: none` everybody is one caller.',
  ),
  watches_per_caller: integerSetting(
    1000,
    1,
    1_000_000,
    'The same for streams: jobs that are watched, server reflection.',
  ),
  receive_timeout: durationSetting('60s', '1s', '1h', 'How long a request may take to arrive whole.'),
  connection_max_age: durationSetting(
    '1h',
    '1m',
    '30d',
    'How old an HTTP/2 connection becomes before it is told to go away (GOAWAY); what runs on it may end.',
  ),
});

const allowed = 'a list of networks such as 10.0.0.0/8 or fd00::/8, or single addresses';

/** The group `destinations`. */
export const destinationKeys = z.strictObject({
  allow: listSetting(isNetwork, {
    description:
      'Networks that subscriptions and `discover` may lead to although a larger one is denied. See docs/security.md.',
    allowed,
  }),
  deny: listSetting(isNetwork, {
    description:
      'Networks that they may not lead to, beside loopback, link-local, multicast and metadata addresses, which are denied unless `allow` has them. The smallest network that holds an address decides.',
    allowed,
  }),
});
