import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface LockedPackage {
  version: string;
  integrity?: string;
  resolved?: string;
  hasInstallScript?: boolean;
  dev?: boolean;
}

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const about = JSON.parse(read('package.json'));
const { '': _own, ...locked } = JSON.parse(read('package-lock.json')).packages as Record<string, LockedPackage>;

test('every package of the lock file has a checksum and no URL', () => {
  for (const [path, { integrity, resolved }] of Object.entries(locked)) {
    expect(integrity, path).toMatch(/^sha512-/);
    expect(resolved, path).toBeUndefined();
  }
});

test('package.json names exact versions, not ranges', () => {
  const required = { ...about.dependencies, ...about.devDependencies, ...about.optionalDependencies };
  for (const [name, version] of Object.entries(required)) expect(version, name).toMatch(/^\d+\.\d+\.\d+(?:-[\w.]+)?$/);
});

test('every install script is allowed or denied by name', () => {
  const withScript = Object.entries(locked).filter(([, { hasInstallScript }]) => hasInstallScript);
  const names = withScript.map(([path]) => path.split('node_modules/').at(-1)!);
  expect(Object.keys(about.allowScripts).toSorted()).toEqual(names.toSorted());
  expect(read('.npmrc')).toMatch(/^strict-allow-scripts=true$/m);
});

test('no production dependency has an install script', () => {
  const runtime = Object.entries(locked).filter(([, { dev }]) => !dev);
  expect(runtime.length).toBeGreaterThan(10);
  for (const [path, { hasInstallScript }] of runtime) expect(hasInstallScript, path).toBeFalsy();
});

interface Component {
  name: string;
  version: string;
  hashes?: { alg: string }[];
  properties?: { name: string; value: string }[];
}

test('npm run sbom lists every package of the lock file with its checksum, and marks development packages', () => {
  // Not with `--omit dev`, which leaves out packages that both the service and a tool depend on.
  const bill = JSON.parse(execFileSync('npm', ['run', '--silent', 'sbom'], { cwd: root, encoding: 'utf8' }));
  expect(bill.bomFormat).toBe('CycloneDX');
  const named = new Map((bill.components as Component[]).map((component) => [nameOf(component), component]));
  for (const [path, { version, dev }] of Object.entries(locked)) {
    const name = `${path.split('node_modules/').at(-1)}@${version}`;
    const component = named.get(name);
    expect(
      component?.hashes?.map(({ alg }) => alg),
      name,
    ).toEqual(['SHA-512']);
    const isDevelopment = component!.properties?.some(({ name }) => name === 'cdx:npm:package:development') ?? false;
    expect(isDevelopment, name).toBe(dev === true);
  }
}, 60_000);

function nameOf({ name, version }: Component): string {
  return `${name}@${version}`;
}
