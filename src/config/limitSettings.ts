import { z } from 'zod';
import { isNetwork } from '../net/networks.ts';
import { durationSetting, integerSetting, listSetting } from './setting.ts';

/** The group `limits`: how much one client may use. */
export const limitKeys = z.strictObject({
  connections: integerSetting(
    { initial: 4000, least: 10, most: 1_000_000 },
    'The maximum number of open connections. One more closes the connection that has been idle longest; when none is idle, it gets 503. Lowered at the start to what the process may open, with a reserve for BMCs and the database.',
  ),
  connections_per_peer: integerSetting(
    { initial: 1000, least: 1, most: 1_000_000 },
    'The maximum number of open connections from one peer: an IPv4 address or an IPv6 /64. A proxy counts as one peer.',
  ),
  calls_per_caller: integerSetting(
    { initial: 1000, least: 1, most: 1_000_000 },
    'The maximum number of calls in flight for one caller; one more gets 429 or RESOURCE_EXHAUSTED. With `auth.type: none` all callers count as one.',
  ),
  jobs_per_caller: integerSetting(
    { initial: 75, least: 1, most: 10_000 },
    'The maximum number of asynchronous methods of one caller running at once in a process; one more gets 503 or RESOURCE_EXHAUSTED. Keep it below `workers_pool_size`, so that one caller cannot take all workers. Not applied with `auth.type: none`, where all callers are one.',
  ),
  jobs_per_node: integerSetting(
    { initial: 10, least: 1, most: 10_000 },
    'The maximum number of asynchronous methods running at once on one node, for methods that do not lock it; one more gets 503 or RESOURCE_EXHAUSTED.',
  ),
  watches_per_caller: integerSetting(
    { initial: 1000, least: 1, most: 1_000_000 },
    'The maximum number of open streams (watches of jobs and nodes, server reflection) for one caller.',
  ),
  receive_timeout: durationSetting(
    { initial: '60s', least: '1s', most: '1h' },
    'The time limit for receiving a complete request.',
  ),
  connection_max_age: durationSetting(
    { initial: '1h', least: '1m', most: '30d' },
    'The age at which an HTTP/2 connection gets GOAWAY; its open streams may finish.',
  ),
});

const allowed = 'a list of networks such as 10.0.0.0/8 or fd00::/8, or of single addresses';

/** The shape of a network; `isNetwork` checks the rest. */
const NETWORK_PATTERN = '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$';

/** The group `destinations`. */
export const destinationKeys = z.strictObject({
  allow: listSetting({
    description:
      'Networks that subscriptions, images and `discover` may target although a larger network is denied. See docs/security.md.',
    allowed,
    pattern: NETWORK_PATTERN,
    isAllowed: isNetwork,
  }),
  deny: listSetting({
    description:
      'Networks that they may not target. Loopback, link-local, multicast and metadata addresses are always denied unless `allow` lists them. The smallest network that contains an address takes precedence.',
    allowed,
    pattern: NETWORK_PATTERN,
    isAllowed: isNetwork,
  }),
});
