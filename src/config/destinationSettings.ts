import { z } from 'zod';
import { isNetwork } from '../net/networks.ts';
import { listSetting } from './setting.ts';

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
