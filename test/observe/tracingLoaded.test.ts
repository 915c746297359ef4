import { expect, test } from 'vitest';
import { serve } from '../cli/run.js';

/** Prints each package of OpenTelemetry's SDK when it is loaded; the API package is not part of it. */
const PRELOAD = `
import { registerHooks } from 'node:module';
registerHooks({
  load(url, context, next) {
    const [, name] = /@opentelemetry\\/([^/]+)/.exec(url) ?? [];
    if (name !== undefined && name !== 'api') process.stderr.write('loaded ' + name + '\\n');
    return next(url, context);
  },
});`;

/** Returns the SDK packages that a service with `environment` loads. */
async function loadedBy(environment: Record<string, string>): Promise<Set<string | undefined>> {
  const preload = `--import=data:text/javascript,${encodeURIComponent(PRELOAD)}`;
  const served = await serve([], { NODE_OPTIONS: preload, ...environment });
  const { status, stderr } = await served.stop();
  expect(status, stderr).toBe(0);
  return new Set([...stderr.matchAll(/^loaded (\S+)$/gm)].map(([, name]) => name));
}

test('the OpenTelemetry SDK is loaded only when tracing is configured', async () => {
  expect(await loadedBy({})).toEqual(new Set());
  const loaded = await loadedBy({ PASSTHRU_TRACING_OTLP_ENDPOINT: 'http://127.0.0.1:9' });
  expect([...loaded]).toEqual(expect.arrayContaining(['sdk-trace', 'exporter-trace-otlp-http', 'resources']));
}, 60_000);
