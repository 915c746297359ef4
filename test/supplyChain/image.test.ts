import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeAuthority } from '../auth/certificates.ts';
import { Requests } from '../auth/requests.ts';
import { basic, htpasswd } from '../auth/users.ts';
import { type Command, start } from '../cli/run.ts';
import { needs } from '../needs.ts';
import { type OtlpReceiver, startOtlpReceiver } from '../observe/otlpReceiver.ts';
import { type Image, imageFolder, makeImage, NONROOT } from './image.ts';

/**
 * Runs the Dockerfile without a container engine: executes its steps, then starts the program with the options of
 * docs/container.md (`--read-only --cap-drop=ALL --security-opt=no-new-privileges`, a volume, a read-only mount) by
 * means of the kernel, which requires root on Linux. Fetches the packages.
 */
const canRun = process.platform === 'linux' && process.getuid?.() === 0 && process.env.TEST_CLIENTS === 'all';

/** Mounts as an engine does, in its own namespace, then executes the program given by the last arguments. */
const CONTAIN = `set -e
root=$1 volume=$2 data=$3 etc=$4 workdir=$5
shift 5
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount --bind /proc "$root/proc"
mount --bind "$etc" "$root/etc/passthru"
mount -o remount,bind,ro "$root/etc/passthru"
mount --bind "$data" "$root$volume"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs unshare --root "$root" --wd "$workdir" --setgid ${NONROOT} --setuid ${NONROOT} "$@"`;

describe('the image of the Dockerfile', needs(canRun ? null : 'root on Linux, and TEST_CLIENTS=all'), () => {
  const folder = imageFolder();
  const authority = makeAuthority('Test authority');
  let image: Image;
  let collector: OtlpReceiver;
  let program: Command;
  let url: string;

  beforeAll(async () => {
    collector = await startOtlpReceiver();
    image = makeImage(folder.path);
    const [data, etc] = ['data', 'etc'].map((name) => join(folder.path, name)) as [string, string];
    // A named volume gets the owner of the directory that it covers.
    const { uid, gid } = statSync(join(image.root, image.volume));
    mkdirSync(data);
    chownSync(data, uid, gid);
    mkdirSync(etc);
    const server = authority.issue({ commonName: 'service', loopback: true });
    // The configuration of the page, except for the port, which may be in use.
    const page = readFileSync(new URL('../../docs/container.md', import.meta.url), 'utf8');
    const config = /```yaml\n([\s\S]*?)```/.exec(page)![1]!.replace('0.0.0.0:6385', '0.0.0.0:0');
    for (const [name, content] of Object.entries({
      'passthru.yaml': config,
      htpasswd: htpasswd('admin'),
      'tls.crt': server.cert,
      'tls.key': server.key,
    })) {
      writeFileSync(join(etc, name), content);
    }
    const environment = { ...image.environment, PASSTHRU_TRACING_OTLP_ENDPOINT: collector.url };
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    const contained = [image.root, image.volume, data, etc, image.workdir];
    program = start('env', [
      '-i',
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
      ...variables,
      ...['unshare', '--mount', 'sh', '-c', CONTAIN, 'sh', ...contained, ...image.command],
    ]);
    const [, port] = await program.printed(/^listening on https:\/\/0\.0\.0\.0:(\d+)$/m);
    url = `https://127.0.0.1:${port}`;
  }, 600_000);
  afterAll(async () => {
    program?.process.kill('SIGKILL');
    await program?.ended;
    await collector[Symbol.asyncDispose]();
    folder.remove();
  }, 60_000);

  test('runs as an unprivileged user without capabilities', () => {
    const status = readFileSync(`/proc/${program.process.pid}/status`, 'utf8');
    expect(/^Uid:\s+(.*)$/m.exec(status)![1]!.split('\t')).toEqual(Array(4).fill(String(NONROOT)));
    expect(/^Gid:\s+(.*)$/m.exec(status)![1]!.split('\t')).toEqual(Array(4).fill(String(NONROOT)));
    expect(status).toMatch(/^CapEff:\t0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  });

  test('has a read-only root, no shell, no npm and no development packages', () => {
    const mounts = readFileSync(`/proc/${program.process.pid}/mountinfo`, 'utf8').split('\n');
    const optionsAt = (path: string) => mounts.findLast((line) => line.split(' ')[4] === path)?.split(' ')[5];
    expect(optionsAt('/')).toMatch(/^ro\b/);
    expect(optionsAt('/etc/passthru')).toMatch(/^ro\b/);
    expect(optionsAt(image.volume)).toMatch(/^rw\b/);
    expect(readdirSync(image.root).sort()).toEqual(expect.arrayContaining(['app', 'data', 'nodejs']));
    for (const path of ['bin/sh', 'usr/bin/npm', 'app/src', 'app/node_modules/typescript', 'app/node_modules/vitest']) {
      expect(existsSync(join(image.root, path)), path).toBe(false);
    }
  });

  test('serves TLS: health without login, and enrolment and calls with a password', async () => {
    using stranger = new Requests(url, {}, authority.cert);
    expect((await stranger.rest('GET', '/healthz')).text).toBe('{"status":"ok"}');
    expect((await stranger.rest('GET', '/v1/nodes')).status).toBe(401);
    using admin = new Requests(url, basic('admin'), authority.cert);
    expect((await admin.rest('POST', '/v1/nodes', { name: 'n1', driver: 'fake-hardware' })).status).toBe(201);
    const call = '/v1/nodes/n1/vendor_passthru/third_method_sync';
    expect((await admin.rest('POST', call, { bar: 'meow' })).status).toBe(200);
    expect(await admin.rpc('gRPC', 'passthru.v1.NodeService/ListNodes', false)).toBe(null);
  });

  test('writes only to its volume, and stops cleanly after sending its traces', async () => {
    program.process.kill('SIGTERM');
    const { status, stderr } = await program.ended;
    expect([status, stderr]).toEqual([0, expect.stringContaining('"msg":"stopped"')]);
    expect(stderr).not.toMatch(/"level":"(?:error|fatal)"/);
    expect(readdirSync(join(folder.path, 'data'))).toContain('passthru.db');
    expect(statSync(join(folder.path, 'data', 'passthru.db')).uid).toBe(NONROOT);
    expect(readdirSync(join(image.root, image.volume))).toEqual([]);
    expect(collector.spans.map(({ name }) => name)).toContain('call fake-hardware.third_method_sync');
  });
});
