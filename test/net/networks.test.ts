import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isNetwork, judgeBy } from '../../src/net/networks.ts';

const byDefault = judgeBy({ allow: [], deny: [] });

describe('by default', () => {
  test.each([
    ['127.0.0.1', 'loopback'],
    ['127.255.1.2', 'loopback'],
    ['::1', 'loopback'],
    ['0.0.0.0', 'this host'],
    ['::', 'this host'],
    ['169.254.169.254', 'link-local, with the metadata services of clouds'],
    ['169.254.1.1', 'link-local, with the metadata services of clouds'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
    ['fd00:ec2::254', 'the metadata and other local services of AWS'],
    ['fd20:ce::254', 'the metadata service of Google Cloud'],
    ['100.100.100.200', 'the metadata service of Alibaba Cloud'],
    ['168.63.129.16', 'the platform service of Azure'],
    ['192.0.0.192', 'reserved, with the metadata service of Oracle Cloud'],
    ['224.0.0.251', 'multicast'],
    ['ff02::fb', 'multicast'],
    ['255.255.255.255', 'reserved, with broadcast'],
    // IPv6 addresses that stand for an IPv4 address.
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:7f00:1', 'loopback'],
    ['0:0:0:0:0:ffff:a9fe:a9fe', 'link-local, with the metadata services of clouds'],
    ['::127.0.0.1', 'loopback'],
    ['64:ff9b::127.0.0.1', 'loopback'],
    ['64:ff9b::a9fe:a9fe', 'link-local, with the metadata services of clouds'],
    ['64:ff9b:1::1', 'a local translation to IPv4'],
    ['2002:7f00:1::', 'loopback'],
    ['2002:a9fe:a9fe::1', 'link-local, with the metadata services of clouds'],
    ['::ffff:0:127.0.0.1', 'loopback'],
    ['2001:0:1::', 'Teredo'],
    ['2001:0:53aa:64c:0:fbff:5601:0101', 'Teredo'],
    ['::7f00:1', 'loopback'],
    ['64:FF9B::7F00:1', 'loopback'],
    ['::ffff:169.254.169.254%eth0', 'link-local, with the metadata services of clouds'],
    ['fe80::5efe:127.0.0.1', 'loopback'],
    ['2001:db8::200:5efe:169.254.169.254', 'link-local, with the metadata services of clouds'],
  ])('%s is denied: %s', (address, what) => {
    expect(byDefault(address)).toEqual({ network: expect.any(String), what });
  });

  test.each([
    '10.1.2.3',
    '192.168.1.1',
    '8.8.8.8',
    '128.0.0.1',
    '100.64.0.1',
    'fd00::1',
    '2001:db8::1',
    '::ffff:10.0.0.1',
    '64:ff9b::8.8.8.8',
    '2002:0a00:1::',
    '2001:db8::5efe:10.0.0.1',
    '2001:1::1',
  ])('%s is allowed', (address) => {
    expect(byDefault(address)).toBeNull();
  });
});

test('the smallest network decides, in any order', () => {
  const judge = judgeBy({ allow: ['10.1.0.0/16', '127.0.0.1', '10.1.2.3'], deny: ['10.0.0.0/8', '10.1.2.0/24'] });
  expect(judge('10.2.0.1')).toEqual({ network: '10.0.0.0/8', what: null });
  expect(judge('10.1.0.1')).toBeNull();
  expect(judge('10.1.2.9')).toEqual({ network: '10.1.2.0/24', what: null });
  expect(judge('10.1.2.3')).toBeNull();
  expect(judge('127.0.0.1')).toBeNull();
  expect(judge('127.0.0.2')).not.toBeNull();
});

test('allowing everything does not allow loopback', () => {
  const judge = judgeBy({ allow: ['0.0.0.0/0', '::/0'], deny: [] });
  expect([judge('127.0.0.1'), judge('::1'), judge('169.254.169.254')]).not.toContain(null);
});

test('a network in both rules is denied; rules take precedence over the default', () => {
  expect(judgeBy({ allow: ['10.0.0.0/8'], deny: ['10.0.0.0/8'] })('10.0.0.1')).not.toBeNull();
  expect(judgeBy({ allow: ['127.0.0.0/8'], deny: [] })('127.0.0.1')).toBeNull();
});

test('an IPv4 network contains the mapped forms of its addresses; routes to them are judged by both', () => {
  const judge = judgeBy({ allow: ['10.0.0.0/8'], deny: ['0.0.0.0/0', '::/0'] });
  expect(judge('::ffff:10.0.0.1')).toBeNull();
  expect(judge('::ffff:11.0.0.1')).not.toBeNull();
  expect(judge('64:ff9b::10.0.0.1')).toEqual({ network: '::/0', what: null });
});

test('every form of an IPv4 address gets the same result', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const verdict = byDefault(address);
      for (const form of [`::ffff:${address}`, `64:ff9b::${address}`]) expect(byDefault(form)).toEqual(verdict);
    }),
  );
});

test('a network is an address with or without a prefix length, and nothing else', () => {
  const right = ['10.0.0.0/8', '10.0.0.1', '::/0', 'fd00::1/128', '0.0.0.0/0', '10.1.2.3/8'];
  const wrong = [
    '',
    '/',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0.0/33',
    '::/129',
    'localhost',
    '10.1',
    '[::1]',
    '0x7f.1/8',
    '010.0.0.0/8',
    'fe80::1%eth0',
    'fe80::%eth0/10',
    '10.0.0.0/08/',
  ];
  expect(right.filter((text) => !isNetwork(text))).toEqual([]);
  expect(wrong.filter(isNetwork)).toEqual([]);
});
