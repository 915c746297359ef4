import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { SETTINGS } from '../../src/config/schema.ts';

// Checks the files against the configuration of the service, since the test machine has no container engine.
const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const page = read('docs/operating.md');

/** The longest time from SIGTERM to the end, in seconds: `shutdown_grace`, then the time for aborting. */
const LONGEST_STOP = 10 + 15;

/** Fails if a variable is unknown or its value is invalid. Returns the configuration. */
function expectConfiguration(environment: Record<string, string>) {
  const variables = SETTINGS.map(({ variable }) => variable);
  const own = Object.keys(environment).filter((name) => name.startsWith('PASSTHRU_'));
  expect(variables).toEqual(expect.arrayContaining(own));
  return loadConfig({ file: null, environment });
}

/** Whether a start would look for a key, which is not there. */
function readsAKey(config: ReturnType<typeof loadConfig>): boolean {
  return config.secrets.key_file?.endsWith('/secrets.key') === true;
}

describe('examples/deploy/compose.yaml', () => {
  const compose = parse(read('examples/deploy/compose.yaml'), { merge: true });

  test('starts replicas with a valid configuration, different names and one PostgreSQL', () => {
    const replicas = [1, 2, 3].map((number) => compose.services[`passthru-${number}`]);
    for (const [index, replica] of replicas.entries()) {
      expect(replica).toEqual({ ...replicas[0], hostname: `passthru-${index + 1}` });
      const config = expectConfiguration(replica.environment);
      expect(config.store).toMatch(/^postgres:\/\/passthru@db\/passthru$/);
      expect(config.auth.type).toBe('http_basic');
      expect(readsAKey(config)).toBe(true);
      expect(replica.command).toEqual(['serve']);
      expect(replica.environment.PGPASSWORD).toBe(compose.services.db.environment.POSTGRES_PASSWORD);
      for (const name of replica.secrets) expect(compose.secrets).toHaveProperty(name);
      expect(Number.parseInt(replica.stop_grace_period, 10)).toBeGreaterThanOrEqual(LONGEST_STOP);
    }
    expect(compose.services.db.environment).toMatchObject({ POSTGRES_USER: 'passthru', POSTGRES_DB: 'passthru' });
  });

  test('proxies to the listening port of every replica', () => {
    for (const number of [1, 2, 3]) expect(compose.configs.nginx.content).toContain(`server passthru-${number}:6385 `);
    expect(compose.services.proxy.depends_on).toEqual(['passthru-1', 'passthru-2', 'passthru-3']);
  });
});

describe('examples/deploy/kubernetes.yaml', () => {
  const documents = parseAllDocuments(read('examples/deploy/kubernetes.yaml')).map((document) => document.toJS());
  const deployment = documents.find(({ kind }) => kind === 'Deployment');
  const pod = deployment.spec.template.spec;
  const [container] = pod.containers;

  test('starts replicas with a valid configuration, named after their pods', () => {
    const values = { metadata: 'passthru-7d9c', secret: 'postgres://passthru:x@db.example/passthru' };
    const environment = Object.fromEntries(
      container.env.map((entry: { name: string; value?: string; valueFrom?: { fieldRef?: object } }) => [
        entry.name,
        entry.value ?? (entry.valueFrom?.fieldRef === undefined ? values.secret : values.metadata),
      ]),
    );
    expect(container.args).toEqual(['serve']);
    expect(expectConfiguration(environment)).toMatchObject({ host: 'passthru-7d9c', listen: '0.0.0.0:6385' });
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(LONGEST_STOP);
  });

  test('mounts every file that the environment names from the Secret that the comment creates', () => {
    const [mount] = container.volumeMounts;
    const { secret } = pod.volumes.find(({ name }: { name: string }) => name === mount.name);
    const mounted = secret.items.map(({ path }: { path: string }) => `${mount.mountPath}/${path}`);
    const named = container.env.filter(({ name }: { name: string }) => name.endsWith('_FILE'));
    expect(named.map(({ name }: { name: string }) => name)).toContain('PASSTHRU_SECRETS_KEY_FILE');
    expect(named.map(({ value }: { value: string }) => value)).toEqual(mounted);
    const text = read('examples/deploy/kubernetes.yaml');
    for (const { key } of secret.items) expect(text).toContain(`--from-file=${key}`);
  });

  test('probes readiness, and does not restart the service when the database is unreachable', () => {
    expect(container.readinessProbe.httpGet).toEqual({ path: '/healthz', port: 'api' });
    // Longer than the 5 s that a hanging database delays the response.
    expect(container.readinessProbe.timeoutSeconds).toBeGreaterThan(5);
    expect(container.livenessProbe).not.toHaveProperty('httpGet');
    const service = documents.find(({ kind }) => kind === 'Service');
    expect(service.spec.selector).toEqual(deployment.spec.template.metadata.labels);
  });
});

test('docs name both files and only existing configuration keys', () => {
  for (const file of ['compose.yaml', 'kubernetes.yaml']) expect(page).toContain(`examples/deploy/${file}`);
  const keys = new Set(SETTINGS.map(({ key }) => key));
  const named = [...page.matchAll(/`((?:redfish\.|node_|job_|workers_|shutdown_)[a-z_]+)[`:]/g)].map(([, key]) => key!);
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((key) => !keys.has(key))).toEqual([]);
});
