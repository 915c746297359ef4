import { expect, test } from 'vitest';
import {
  lastSegment,
  linkPath,
  locationPath,
  memberPath,
  pathFault,
  samePath,
  segmentFault,
} from '../../src/redfish/links.ts';

const ORIGIN = 'https://bmc.example';

test.each([
  'a/b',
  'a\\b',
  '..',
  'a..b',
  '.',
  'a?b',
  'a#b',
  'a%2fb',
  'a%2Fb',
  'a%252fb',
  '%2e%2e',
  'a%3fb',
  'a%5cb',
  'a\u0000',
  'a\nb',
  '%00',
  '100%',
  '',
  '\ud800',
  'x'.repeat(256),
])('the id %j cannot become a path segment', (id) => {
  expect(segmentFault(id)).not.toBeNull();
  expect(() => memberPath('/redfish/v1/S', id)).toThrow(TypeError);
});

test.each([
  ['1', '/S/1'],
  ['a:b@c;d=e,f', '/S/a:b@c;d=e,f'],
  ['~u.-_!', '/S/~u.-_!'],
  ['a b', '/S/a%20b'],
  ['a%20b', '/S/a%20b'],
  ['ü', '/S/%C3%BC'],
  ['__proto__', '/S/__proto__'],
])('the id %j is requested at %s', (id, path) => {
  expect(memberPath('/S', id)).toBe(path);
  expect(memberPath('/S/', id)).toBe(path);
});

test.each([
  ['/redfish/v1/Systems/', '/redfish/v1/Systems/'],
  ['https://bmc.example/redfish/v1/A', '/redfish/v1/A'],
  ['/redfish/v1/A%20B', '/redfish/v1/A%20B'],
  ['/redfish/v1/A B', '/redfish/v1/A%20B'],
  ['/redfish/v1/A?$skip=50', '/redfish/v1/A?$skip=50'],
  ['/redfish/v1/A#/Members/1', '/redfish/v1/A'],
])('the link %s leads to %s', (link, path) => {
  expect(linkPath({ '@odata.id': link }, ORIGIN)).toBe(path);
});

test.each(['https://other.example/redfish/v1', '//other.example/redfish', 'redfish/v1', '', 7, null])(
  'the link %j leads nowhere',
  (link) => {
    expect(() => linkPath(link, ORIGIN)).toThrow(/link/);
  },
);

test.each([
  'https://bmc.example:443/redfish/v1/S/1',
  'http://bmc.example/redfish/v1/S/1',
  'https://BMC.example/redfish/v1/S/1',
  'https://bmc.example:8443/redfish/v1/S/1',
])('the link %j to the same host counts by its path at a forwarded port', (link) => {
  expect(linkPath(link, 'https://bmc.example:7443')).toBe('/redfish/v1/S/1');
  expect(linkPath({ '@odata.id': link }, ORIGIN)).toBe('/redfish/v1/S/1');
});

test('only the path of a Location counts, not its host', () => {
  expect(locationPath('https://10.0.0.5/redfish/v1/S/1')).toBe('/redfish/v1/S/1');
  expect(locationPath('/redfish/v1/S/1')).toBe('/redfish/v1/S/1');
  expect(locationPath('//other/S')).toBeNull();
  expect(locationPath(undefined)).toBeNull();
});

test('paths with and without a slash at the end, encoded or not, are the same', () => {
  expect(samePath('/redfish/v1/', '/redfish/v1')).toBe(true);
  expect(samePath('/S/a%20b', '/S/a b/')).toBe(true);
  expect(samePath('/S/1', '/S/2')).toBe(false);
  expect(lastSegment('/redfish/v1/S/1/')).toBe('1');
});

test.each(['redfish/v1/Systems/1', '//h/x', '/a/../b', '/a/%2e%2e/b', '/a?b', '/a#b', '/a b', '/a\\b'])(
  'an operator cannot give %s as a path',
  (path) => {
    expect(pathFault(path)).not.toBeNull();
  },
);
