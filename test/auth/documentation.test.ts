import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ACTIONS, type Action } from '../../src/auth/actions.ts';
import { ROLES } from '../../src/core/caller.ts';

const page = readFileSync(new URL('../../docs/authentication.md', import.meta.url), 'utf8');

test('docs/authentication.md lists the actions of each role as the service does', () => {
  const [, table] = /<!-- actions -->\n([\s\S]*?)\n<!-- end of actions -->/.exec(page)!;
  const actions = Object.keys(ACTIONS) as Action[];
  const rows = ['open' as const, ...ROLES].map((role) => {
    const name = role === 'open' ? 'none, and no credentials' : role;
    return `| ${name} | ${actions.filter((action) => ACTIONS[action] === role).join(', ')} |`;
  });
  expect(table!.split('\n').slice(2)).toEqual(rows);
});
