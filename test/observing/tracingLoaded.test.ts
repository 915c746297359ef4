import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** Tells each module of OpenTelemetry's SDK as it is loaded; the API alone is no SDK. */
const PRELOAD = `
import { registerHooks } from 'node:module';
registerHooks({
  load(url, context, next) {
    const [, name] = /@opentelemetry\\/([^/]+)/.exec(url) ?? [];
    if (name !== undefined && name !== 'api') process.stderr.write('loaded ' + name + '\\n');
    return next(url, context);
  },
});`;

/** What a service that is started with `environment` loads of the SDK. */
async function loadedBy(environment: Record<string, string>): Promise<Set<string | undefined>> {
  const child = spawn(
    process.execPath,
    [
      '--import',
      `data:text/javascript,${encodeURIComponent(PRELOAD)}`,
      fileURLToPath(new URL('../../src/main.js', import.meta.url)),
      'serve',
    ],
    {
      env: { ...process.env, PASSTHRU_LISTEN: '127.0.0.1:0', PASSTHRU_STORE: 'sqlite::memory:', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let told = '';
  child.stderr.on('data', (chunk) => {
    told += chunk;
  });
  const closed = once(child, 'close');
  const ended = closed.then(([status]) => {
    throw new Error(`serve ended with ${status}: ${told}`);
  });
  const [first] = await Promise.race([once(child.stdout, 'data'), ended]);
  expect(String(first)).toContain('listening on');
  child.kill('SIGTERM');
  const late = AbortSignal.timeout(20_000);
  late.onabort = () => child.kill('SIGABRT');
  const [status] = await closed;
  late.onabort = null;
  expect(status, told).toBe(0);
  return new Set([...told.matchAll(/^loaded (\S+)$/gm)].map(([, name]) => name));
}

test('OpenTelemetry’s SDK is loaded where tracing is configured, and nowhere else', async () => {
  expect(await loadedBy({})).toEqual(new Set());
  const loaded = await loadedBy({ PASSTHRU_TRACING_OTLP_ENDPOINT: 'http://127.0.0.1:9' });
  expect([...loaded]).toEqual(expect.arrayContaining(['sdk-trace', 'exporter-trace-otlp-http', 'resources']));
}, 60_000);
