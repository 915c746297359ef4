import { expect, test } from 'vitest';
import { deviceAt, link, machine, mediaUnder, SYSTEM, startMachine } from './machine.ts';

const CD = `${SYSTEM}/VirtualMedia/CD1`;

test.each<[string, string | string[]]>([
  ['in lower case', ['cd', 'dvd']],
  ['in capitals', ['DVD', 'USBSTICK']],
  ['as a text', 'CD'],
  ['as a text in lower case', 'dvd'],
])('a device whose MediaTypes are written %s is ejected by its type', async (_, MediaTypes) => {
  const media = link(`${SYSTEM}/VirtualMedia`);
  const tree = machine({
    ...mediaUnder(SYSTEM, 'CD1'),
    [SYSTEM]: { ...link(SYSTEM), VirtualMedia: media },
    [CD]: deviceAt(CD, { MediaTypes }),
  });
  const { eject } = await startMachine(tree);
  expect(await eject(['CD', 'DVD'])).toMatchObject([{ outcome: 'ejected' }]);
});
