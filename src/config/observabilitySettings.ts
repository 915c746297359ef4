import { z } from 'zod';
import { parseListenAddress } from '../net/listenAddress.ts';
import { choiceSetting, integerSetting, optionalTextSetting } from './setting.ts';

/** `audit_log`. */
export const auditLogKey = choiceSetting('on', ['on', 'off'], {
  description:
    'Whether the log has a line for each call, each change of a node, each cancel and each refusal, whatever `log_level` says; see observability.md.',
});

/** The group `metrics`. */
export const metricsKeys = z.strictObject({
  listen: optionalTextSetting(
    {
      description:
        'Where `GET /metrics` is answered without credentials, to whoever can reach the address; at loopback only by the names of this machine. When not set it is answered where everything is, for the role reader.',
      allowed: 'HOST:PORT, with an IPv6 address in brackets',
    },
    (text) => parseListenAddress(text) !== null,
  ),
});

/** The group `tracing`. */
export const tracingKeys = z.strictObject({
  otlp_endpoint: optionalTextSetting(
    {
      description:
        'A collector that takes OTLP over HTTP: traces are sent there. `/v1/traces` is added unless it ends so. When not set there are none.',
      allowed: 'an http:// or https:// URL without a user, such as http://127.0.0.1:4318',
    },
    isEndpoint,
  ),
  sample_percent: integerSetting(
    100,
    0,
    100,
    'Of a hundred traces that begin here, how many are sent. A caller whose request has a trace has decided already.',
  ),
});

/** Its credentials are for OTEL_EXPORTER_OTLP_HEADERS: a URL is told in logs. */
function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}
