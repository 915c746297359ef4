import { z } from 'zod';
import { durationSetting, integerSetting } from './setting.ts';

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
