import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { ROOT } from '../cli/run.ts';

const run = promisify(execFile);
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

test('the service, the clients and their READMEs have one version', async () => {
  const { stdout } = await run(process.execPath, ['.ci/version.mjs'], { cwd: ROOT });
  expect(stdout).toBe(`${version}\n`);
});

test('one command sets the version everywhere', async () => {
  const copy = mkdtempSync(join(tmpdir(), 'passthru-version-'));
  onTestFinished(() => rmSync(copy, { recursive: true }));
  for (const part of ['.ci', 'clients', 'package.json', 'package-lock.json']) {
    cpSync(join(ROOT, part), join(copy, part), { recursive: true, filter: (path) => !path.includes('/target/') });
  }
  await run(process.execPath, ['.ci/version.mjs', '7.8.9-rc.1'], { cwd: copy });
  expect((await run(process.execPath, ['.ci/version.mjs'], { cwd: copy })).stdout).toBe('7.8.9-rc.1\n');
  // No file of a client still names the old one as that of the client.
  const { stdout } = await run('grep', ['-rnE', `passthru[-_]client[-" =]+(version = ")?${version}`, 'clients'], {
    cwd: copy,
  }).catch((error) => error);
  expect(stdout).toBe('');
  await expect(run(process.execPath, ['.ci/version.mjs', 'latest'], { cwd: copy })).rejects.toMatchObject({ code: 2 });
});
