import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../../clients/plugins.ts';
import { ROOT } from '../cli/run.ts';

const run = promisify(execFile);

const MODULE = 'connectrpc.com/conformance';
const VERSION = 'v1.0.7';

/** Connect's conformance suite on this machine, or the reason why it is missing. */
export type Suite = { program: string; descriptors: string } | { missing: string };

/**
 * Returns the suite, built on first use into the user's cache: its program, and a FileDescriptorSet of its .proto files.
 */
export async function conformanceSuite(): Promise<Suite> {
  const folder = join(dirname(cacheFolder()), `connectconformance-${VERSION}`);
  const suite = { program: join(folder, 'connectconformance'), descriptors: join(folder, 'descriptors.binpb') };
  try {
    if (!existsSync(folder)) await build(folder);
    return suite;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { missing: code === 'ENOENT' ? 'Go is not installed' : message.trim() };
  }
}

async function build(folder: string): Promise<void> {
  mkdirSync(dirname(folder), { recursive: true });
  const fresh = mkdtempSync(`${folder}.`);
  try {
    // A Go older than the module requires fails with a message, and does not download a newer one.
    const env = { ...process.env, GOBIN: fresh, GOTOOLCHAIN: 'local' };
    await run('go', ['install', `${MODULE}/cmd/connectconformance@${VERSION}`], { env });
    const { stdout } = await run('go', ['mod', 'download', '-json', `${MODULE}@${VERSION}`], { env });
    const proto = join(JSON.parse(stdout).Dir, 'proto');
    const buf = join(ROOT, 'node_modules', '@bufbuild', 'buf', 'bin', 'buf');
    await run(process.execPath, [buf, 'build', proto, '--output', join(fresh, 'descriptors.binpb')]);
    renameSync(fresh, folder);
  } catch (error) {
    rmSync(fresh, { recursive: true });
    // Another process has built it in the meantime.
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
  }
}
