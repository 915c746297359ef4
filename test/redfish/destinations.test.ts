import { expect, test } from 'vitest';
import { sameUrl, urlsIn } from '../../src/redfish/destinations.ts';

test.each([
  ['https://192.0.2.10/events', 'https://192.0.2.10:443/events', 'a default port'],
  ['http://h.example', 'http://h.example:80/', 'a default port and an empty path'],
  ['HTTPS://Listener.Example/Events', 'https://listener.example/Events', 'the case of scheme and host'],
  ['https://h.example', 'https://h.example/', 'an empty path'],
  ['https://h.example?a=1', 'https://h.example/?a=1', 'an empty path before a query'],
  ['https://h.example/%7ejoe/%c3%a9', 'https://h.example/~joe/%C3%A9', 'percent-encoding'],
  ['https://h.example/é', 'https://h.example/%c3%a9', 'a character that must be encoded'],
  ['https://h.example/a?b=%41', 'https://h.example/a?b=A', 'percent-encoding in the query'],
  ['https://[2001:DB8::0:1]/e', 'https://[2001:db8:0:0:0:0:0:1]:443/e', 'IPv6'],
  ['https://h.example:0443/', 'https://h.example/', 'leading zeros of a port'],
  ['https://h.example:/e', 'https://h.example/e', 'an empty port'],
  ['https://h.example/a/./b/../c', 'https://h.example/a/c', 'dot segments'],
  ['syslog://Log.Example:514', 'SYSLOG://log.example:514/', 'syslog'],
  ['snmp://[FE80::1]:162', 'snmp://[fe80::1]:162', 'SNMP'],
  ['mailto:Ops@Example.COM', 'MAILTO:Ops@example.com', 'mail'],
])('%s is %s (%s)', (a, b) => {
  expect(sameUrl(a, b)).toBe(true);
  expect(sameUrl(b, a)).toBe(true);
});

test.each([
  ['https://h.example/events', 'http://h.example/events'],
  ['https://h.example/events', 'https://h.example/Events'],
  ['https://h.example/events', 'https://h.example/events/'],
  ['https://h.example/a%2Fb', 'https://h.example/a/b'],
  ['https://h.example:80/', 'https://h.example/'],
  ['https://h.example/?a=1', 'https://h.example/?a=2'],
  ['https://h.example/', 'https://u@h.example/'],
  ['syslog://h.example:514', 'syslog://h.example:515'],
  ['syslog://h.example:80', 'syslog://h.example'],
  ['mailto:Ops@example.com', 'mailto:ops@example.com'],
  ['no url', 'No url'],
])('%s is not %s', (a, b) => {
  expect(sameUrl(a, b)).toBe(false);
});

test('the URLs that a message quotes are found', () => {
  const text = 'Changed "https://h.example:443/e" and (http://10.0.0.1/x), not syslog://log.example.';
  expect(urlsIn(text)).toEqual(['https://h.example:443/e', 'http://10.0.0.1/x', 'syslog://log.example']);
});
