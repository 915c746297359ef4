import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { makeAuthority } from '../auth/certificates.ts';
import { htpasswd, passwordOf } from '../auth/users.ts';
import { type Ended, passthru, type Served, serve } from './run.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const ANOTHER = 'Is the service running? Set its address by --server, PASSTHRU_SERVER or a context.';
const UNTRUSTED = 'its certificate is not trusted; use --ca-file or NODE_EXTRA_CA_CERTS to trust its CA';

const directory = mkdtempSync(join(tmpdir(), 'passthru-unreachable-'));
const file = (name: string, text: string) => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};
let plain: Served;
/** A service over TLS, with HTTP Basic. */
let guarded: Served;
/** A service over TLS, with a certificate for another name. */
let misnamed: Served;
let ca: string;
beforeAll(async () => {
  const authority = makeAuthority('authority');
  ca = file('ca.pem', authority.cert);
  const serveOverTls = (name: string, { cert, key }: { cert: string; key: string }) =>
    serve([], {
      PASSTHRU_TLS_CERT_FILE: file(`${name}.pem`, cert),
      PASSTHRU_TLS_KEY_FILE: file(`${name}.key`, key),
      PASSTHRU_AUTH_TYPE: 'http_basic',
      PASSTHRU_AUTH_DEFAULT_ROLE: 'admin',
      PASSTHRU_AUTH_HTTP_BASIC_AUTH_USER_FILE: file('users', htpasswd('anna')),
    });
  plain = await serve();
  guarded = await serveOverTls('own', authority.issue({ loopback: true }));
  misnamed = await serveOverTls('other', authority.issue({ dns: ['other.example'] }));
});
afterAll(async () => {
  for (const service of [plain, guarded, misnamed]) await service?.stop();
  rmSync(directory, { recursive: true });
});

/** One command over gRPC, one over REST. */
const COMMANDS = [
  ['node', 'list'],
  ['node', 'validate', 'n'],
];

function run(command: readonly string[], server: string, ...options: string[]): Promise<Ended> {
  return passthru([...options, '--server', server, ...command]);
}

describe.each(COMMANDS)('%s %s', (...command) => {
  const unreachable = (url: string, why: string) => ({
    status: 5,
    stdout: '',
    stderr: `error: cannot reach ${url}: ${why}\n`,
  });

  test('exits with 5 when the service is unreachable, with the address and advice', async () => {
    const url = 'http://127.0.0.1:1';
    expect(await run(command, url)).toEqual(unreachable(url, `connection refused. ${ANOTHER}`));
  });

  test('exits with 5 for an untrusted certificate, and names the option for its CA', async () => {
    expect(await run(command, guarded.url)).toEqual(unreachable(guarded.url, UNTRUSTED));
  });

  test('exits with 5 for a certificate with another name', async () => {
    const ended = await run(command, misnamed.url, '--ca-file', ca);
    expect(ended).toEqual(unreachable(misnamed.url, 'its certificate is for a different name'));
  });

  test('exits with 5 for http:// to an https:// service, and the reverse, and suggests the other', async () => {
    const url = guarded.url.replace('https', 'http');
    const cut = `connection closed by the server; try https://. ${ANOTHER}`;
    expect(await run(command, url)).toEqual(unreachable(url, cut));
    const over = plain.url.replace('http', 'https');
    expect(await run(command, over)).toEqual(unreachable(over, 'the server does not use TLS; try http://'));
  });

  test('exits with 1 for an unknown user or a wrong password, and names the options for credentials', async () => {
    const options = ['--ca-file', ca];
    const unauthenticated = {
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(/\n {2}Give credentials by --token, --user with PASSTHRU_PASSWORD/),
    };
    expect(await run(command, guarded.url, ...options)).toEqual(unauthenticated);
    const wrong = file('wrong', 'not-this-one');
    const refused = await run(command, guarded.url, ...options, '--user', 'anna', '--password-file', wrong);
    expect(refused).toEqual(unauthenticated);
    expect(refused.stderr).toContain('Incorrect username or password');
    expect(refused.stderr).not.toContain('not-this-one');
  });
});

test('trusts the CA of --ca-file or PASSTHRU_CA_FILE', async () => {
  const password = file('password', passwordOf('anna'));
  const words = ['--server', guarded.url, '--user', 'anna', '--password-file', password, 'node', 'list', '-f', 'json'];
  const done = { status: 0, stdout: '[]\n', stderr: '' };
  expect(await passthru(['--ca-file', ca, ...words])).toEqual(done);
  expect(await passthru(words, { PASSTHRU_CA_FILE: ca })).toEqual(done);
  expect(await passthru(['--ca-file', password, ...words])).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/^error: --ca-file: .*password contains no PEM certificate/),
  });
});

test('an invalid URL exits with 2; one that ends in /v1, as for Ironic, works', async () => {
  expect(await run(['node', 'list'], 'bmc-1')).toMatchObject({
    status: 2,
    stderr: 'error: --server: "bmc-1" is not an http:// or https:// URL such as https://host.example:6385\n',
  });
  expect(await run(['node', 'list', '-f', 'json'], `${plain.url}/v1/`)).toEqual({
    status: 0,
    stdout: '[]\n',
    stderr: '',
  });
});

test('exits with 5 when the address belongs to another server', async () => {
  // Under /v1 the response arrives while the request is still being sent.
  for (const url of [`${plain.url}/elsewhere`, `${plain.url}/v1/nodes`]) {
    expect(await run(['node', 'list'], url)).toMatchObject({
      status: 5,
      stderr: expect.stringContaining(`${url} is not the address of a passthru service (HTTP 404)`),
    });
  }
  const other = createServer((_request, response) => response.end('<html>'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  expect(await run(['node', 'list'], url)).toMatchObject({ status: 5, stderr: expect.stringContaining(url) });
  other.close();
});
