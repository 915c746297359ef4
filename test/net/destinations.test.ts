import { describe, expect, test } from 'vitest';
import { createDestinations, type HostAddress } from '../../src/net/destinations.ts';
import type { NetworkRules } from '../../src/net/networks.ts';

const NAMES: Record<string, string[]> = {
  'listener.example': ['10.0.0.1', '2001:db8::1'],
  'inside.example': ['10.0.0.1', '127.0.0.1'],
  'metadata.example': ['169.254.169.254'],
  localhost: ['127.0.0.1', '::1'],
};

/** Destinations with the names of the test. */
function destinations(rules: Partial<NetworkRules> = {}) {
  const lookedUp: string[] = [];
  const lookup = async (host: string): Promise<HostAddress[]> => {
    lookedUp.push(host);
    const addresses = NAMES[host];
    if (addresses === undefined) throw Object.assign(new Error('ENOTFOUND'), { code: 'ENOTFOUND' });
    return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };
  return { lookedUp, ...createDestinations({ allow: [], deny: [], ...rules }, lookup) };
}

const refusal = (message: string) => ({
  kind: 'invalid_argument',
  message,
  violations: [{ field: 'arguments.Destination', description: message }],
});
const OUTSIDE = 'allowed: addresses outside the denied networks';

test.each([
  ['http://127.0.0.1/x', `127.0.0.1 (127.0.0.0/8: loopback); ${OUTSIDE}`],
  ['https://[::1]:8443/x', `::1 (::1/128: loopback); ${OUTSIDE}`],
  [
    'https://[::ffff:169.254.169.254]/',
    `::ffff:a9fe:a9fe (169.254.0.0/16: link-local, with the metadata services of clouds); ${OUTSIDE}`,
  ],
  ['http://user:hunter2@127.0.0.1/x', `127.0.0.1 (127.0.0.0/8: loopback); ${OUTSIDE}`],
  ['http://10.0.0.1@127.0.0.1/', `127.0.0.1 (127.0.0.0/8: loopback); ${OUTSIDE}`],
  ['snmp://127.0.0.1:162', `127.0.0.1 (127.0.0.0/8: loopback); ${OUTSIDE}`],
  ['https://inside.example/x', `inside.example, which is 127.0.0.1 (127.0.0.0/8: loopback); ${OUTSIDE}`],
  [
    'https://metadata.example/x',
    `metadata.example, which is 169.254.169.254 (169.254.0.0/16: link-local, with the metadata services of clouds); ${OUTSIDE}`,
  ],
  ['http://localhost./', `localhost., which is 127.0.0.1 (127.0.0.0/8: loopback); ${OUTSIDE}`],
  ['https://LOCALHOST/x', `localhost, which is 127.0.0.1 (127.0.0.0/8: loopback); ${OUTSIDE}`],
])('%s is refused, with the address and what is allowed', async (url, why) => {
  await expect(destinations().checkUrl('Destination', url)).rejects.toMatchObject(
    refusal(`Destination must not lead to ${why}`),
  );
});

test.each([
  'https://listener.example/x',
  'https://10.0.0.1:8443/x',
  'https://[2001:db8::1]/x',
  'https://unknown-here.example/x',
  'https://user:pass@listener.example/x?y=z#w',
])('%s passes', async (url) => {
  await expect(destinations().checkUrl('Destination', url)).resolves.toBeUndefined();
});

test.each([
  'http://2130706433/',
  'http://0x7f.1/',
  'http://0177.0.0.1/',
  'http://010.8.8.8/',
  'http://127.1/',
  'http://%31%32%37.0.0.1/',
  'http://１２７.0.0.1/',
  'http://127.0.0.1./',
  'snmp://0x7f000001/',
])('%s, which programs read differently, must be written in full', async (url) => {
  await expect(destinations().checkUrl('Destination', url)).rejects.toMatchObject({
    kind: 'invalid_argument',
    message: expect.stringMatching(/^Destination must write its IPv4 address as \d+\.\d+\.\d+\.\d+$/),
  });
});

test.each([
  'https://listener.example\\@127.0.0.1/',
  'http://10.0.0.1#@127.0.0.1/',
  'http://10.0.0.1?@127.0.0.1/',
  'http://10.0.0.1:80?x=1&y=@127.0.0.1/',
  'http://listener.example#a/b@127.0.0.1',
  'http://127.0.0.1%2f@10.0.0.1/',
  'http://127.0.0.1%2F@10.0.0.1/',
  'http://127.0.0.1%3f@10.0.0.1/',
  'http://127.0.0.1%23@10.0.0.1/',
  'http://127.0.0.1%5c@10.0.0.1/',
  'http://127.0.0.1%40@10.0.0.1/',
  'http://listener.example%2f.10.0.0.1/',
  'http://[::1]@10.0.0.1/',
  'http://user:[::1]@10.0.0.1/',
  'http://10.0.0.1[::1]/',
  'http://10.0.0.1:80:90/',
  'http://10.0.0.1:80@/',
  'http://10.0.0.1\t.listener.example/',
  'http://10.0.0.1\r\nHost: x/',
  'http://listener.example/a\nb',
  'http://us er@10.0.0.1/',
  'http://listener.example:port/',
  'http:/127.0.0.1/',
  'http:127.0.0.1',
  '//127.0.0.1/',
  'https://user@127.0.0.1:80@listener.example/',
  'https:///x',
  'https://[::1',
  'https://a b/',
  'https://user@/x',
])('%s is not a URL with an unambiguous host', async (url) => {
  await expect(destinations().checkUrl('Destination', url)).rejects.toMatchObject({
    message: expect.stringMatching(/^Destination must be a URL with a host that all programs read alike/),
  });
});

test.each([
  'localhost',
  'LOCALHOST.',
  'localhost..',
  'a.localhost',
  'a.b.LocalHost.',
  'localhost.localdomain',
  'localhost6.localdomain6.',
  'ip6-localhost',
  'ip6-loopback',
  '%6cocalhost',
  'ⓛocalhost',
  'metadata.google.internal',
  'METADATA.google.internal.',
  'metadata',
  'instance-data',
  'metadata.tencentyun.com',
])('the name %s is refused without a resolver', async (host) => {
  const { checkUrl, resolve, lookedUp } = destinations();
  for (const url of [`http://${host}/`, `snmp://user@${host}:162`]) {
    await expect(checkUrl('Destination', url)).rejects.toMatchObject({
      message: expect.stringMatching(/^Destination must not lead to .*, which is (127\.0\.0\.1|169\.254\.169\.254) \(/),
    });
  }
  if (/^[\w.-]+$/.test(host))
    await expect(resolve('address', host)).rejects.toMatchObject({ kind: 'invalid_argument' });
  expect(lookedUp).toEqual([]);
});

test('a known name passes where its network is allowed, and is resolved as any other', async () => {
  const { checkUrl, resolve, lookedUp } = destinations({ allow: ['127.0.0.0/8', '::1'] });
  await expect(checkUrl('Destination', 'http://localhost:8000/')).resolves.toBeUndefined();
  expect(await resolve('address', 'localhost')).toHaveLength(2);
  expect(lookedUp).toEqual(['localhost', 'localhost']);
});

test.each([
  'https://localhost.example/x',
  'https://notlocalhost/x',
  'https://metadata.example.com/x',
  'https://listener.example?x=1',
  'https://listener.example#part',
  'https://listener.example/@x?y=@z#@',
  'https://listener.example/a%2fb%40c',
  'https://us%20er:p%C3%A4ss@listener.example/',
  'https://listener.example:/x',
])('%s passes too', async (url) => {
  await expect(destinations().checkUrl('Destination', url)).resolves.toBeUndefined();
});

test('when only some networks are allowed, those are listed, and an unknown name is refused', async () => {
  const { checkUrl } = destinations({ deny: ['0.0.0.0/0', '::/0'], allow: ['10.0.0.0/8', 'fd00::/8'] });
  await expect(checkUrl('Destination', 'https://10.0.0.1/')).resolves.toBeUndefined();
  await expect(checkUrl('Destination', 'https://192.168.0.1/')).rejects.toMatchObject(
    refusal('Destination must not lead to 192.168.0.1 (0.0.0.0/0); allowed: 10.0.0.0/8, fd00::/8'),
  );
  await expect(checkUrl('Destination', 'https://listener.example/')).rejects.toMatchObject(
    refusal(
      'Destination must not lead to listener.example, which is 2001:db8::1 (::/0); allowed: 10.0.0.0/8, fd00::/8',
    ),
  );
  await expect(checkUrl('Destination', 'https://unknown.example/')).rejects.toMatchObject(
    refusal(
      'Destination must not lead to unknown.example, which cannot be resolved here; allowed: 10.0.0.0/8, fd00::/8',
    ),
  );
});

test('a host to connect to is looked up once, and only its addresses are returned', async () => {
  const { resolve, lookedUp } = destinations();
  expect(await resolve('address', 'listener.example')).toEqual([
    { address: '10.0.0.1', family: 4 },
    { address: '2001:db8::1', family: 6 },
  ]);
  expect(lookedUp).toEqual(['listener.example']);
  expect(await resolve('address', '2001:db8::1')).toEqual([{ address: '2001:db8::1', family: 6 }]);
  expect(await resolve('address', 'unknown.example')).toBeNull();
  await expect(resolve('address', 'inside.example')).rejects.toMatchObject({
    message: expect.stringContaining('address must not lead to inside.example, which is 127.0.0.1'),
  });
});

describe('with a DNS server that does not respond', () => {
  /** Destinations with a resolver whose look-ups end when the test allows it. */
  function silentDns(timeoutMs?: number) {
    const started: string[] = [];
    const ends: ((addresses: HostAddress[]) => void)[] = [];
    const lookup = (host: string) => {
      started.push(host);
      return new Promise<HostAddress[]>((resolve) => ends.push(resolve));
    };
    return { started, ends, ...createDestinations({ allow: [], deny: [] }, lookup, timeoutMs) };
  }

  test('a caller stops waiting when its signal fires, and gets its reason', async () => {
    const { checkUrl } = silentDns();
    const controller = new AbortController();
    const checked = checkUrl('Destination', 'https://dead.example/', controller.signal);
    controller.abort(new Error('cancelled'));
    await expect(checked).rejects.toThrow('cancelled');
  });

  test('look-ups take turns, and those whose caller has gone are never started', async () => {
    const { resolve, started, ends } = silentDns();
    const [second, third] = [new AbortController(), new AbortController()];
    const first = resolve('address', 'one.example');
    const given = resolve('address', 'two.example', second.signal);
    const last = resolve('address', 'three.example', third.signal);
    await Promise.resolve();
    expect(started).toEqual(['one.example']);
    second.abort(new Error('cancelled'));
    await expect(given).rejects.toThrow('cancelled');
    ends[0]!([{ address: '10.0.0.1', family: 4 }]);
    expect(await first).toHaveLength(1);
    await expect.poll(() => started).toEqual(['one.example', 'three.example']);
    ends[1]!([{ address: '10.0.0.3', family: 4 }]);
    expect(await last).toEqual([{ address: '10.0.0.3', family: 4 }]);
  });

  test('a name counts as unresolvable after the time limit, waiting for a turn included', async () => {
    const { resolve, started } = silentDns(50);
    const names = ['one.example', 'two.example', 'three.example'];
    expect(await Promise.all(names.map((name) => resolve('address', name)))).toEqual([null, null, null]);
    expect(started).toEqual(['one.example']);
  });
});
