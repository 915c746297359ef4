import { z } from 'zod';
import { parseListenAddress } from '../net/listenAddress.ts';
import { choiceSetting, integerSetting, optionalTextSetting } from './setting.ts';

/** The shape of HOST:PORT; `parseListenAddress` checks the rest. */
export const LISTEN_PATTERN = '^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9.-]+):[0-9]{1,5}$';

/** `audit_log`. */
export const auditLogKey = choiceSetting('on', ['on', 'off'], {
  description:
    'Whether each call, node change, cancellation and refused request is logged, whatever `log_level` is; see observability.md.',
});

/** The group `metrics`. */
export const metricsKeys = z.strictObject({
  listen: optionalTextSetting(
    {
      description:
        'A separate address that serves `GET /metrics` without authentication; on loopback, only for requests whose Host is this machine. When not set, the main address serves it for the role reader.',
      allowed: 'HOST:PORT, with an IPv6 address in brackets',
      pattern: LISTEN_PATTERN,
    },
    (text) => parseListenAddress(text) !== null,
  ),
});

/** The group `tracing`. */
export const tracingKeys = z.strictObject({
  otlp_endpoint: optionalTextSetting(
    {
      description:
        'An OTLP/HTTP collector that receives traces; `/v1/traces` is appended if missing. Tracing is off when not set.',
      allowed: 'an http:// or https:// URL without credentials, such as http://127.0.0.1:4318',
      pattern: '^https?://[^@]+$',
    },
    isEndpoint,
  ),
  sample_percent: integerSetting(
    100,
    0,
    100,
    'The percentage of traces started here that are sent. The sampling decision of a trace that a caller began is kept.',
  ),
});

/** Credentials belong in OTEL_EXPORTER_OTLP_HEADERS, since the URL is logged. */
function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}
