import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { configSchema, SETTINGS } from '../../src/config/schema.ts';
import type { Setting } from '../../src/config/setting.ts';

const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');

function tableRow({ key, variable, initial, defaultText, description, allowed }: Setting): string {
  const byDefault =
    defaultText ??
    (initial === undefined ? 'none' : `\`${typeof initial === 'string' ? initial : JSON.stringify(initial)}\``);
  return `| \`${key}\`<br>\`${variable}\` | ${byDefault} | ${description} Allowed: ${allowed}. |`;
}

test('docs/configuration.md tells every key, its variable, its default and what is allowed, as the schema has them', () => {
  const [, table] = /<!-- settings -->\n([\s\S]*?)\n<!-- end of settings -->/.exec(page)!;
  const rows = table!.split('\n');
  expect(rows.slice(2)).toEqual(SETTINGS.map(tableRow));
});

test('the file that it shows is one that the service takes', () => {
  const [, yaml] = /```yaml\n(listen[\s\S]*?)```/.exec(page)!;
  expect(configSchema.safeParse(parse(yaml!))).toMatchObject({ success: true });
});
