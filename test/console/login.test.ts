import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RoleService, startRoleService } from '../auth/roleService.ts';
import { AUDIENCE, ISSUER, makeIssuer } from '../auth/tokens.ts';
import { htpasswd, passwordOf } from '../auth/users.ts';
import { findChromium, startChromium } from '../clients/chromium.ts';
import { needs } from '../needs.ts';
import { startFakeKeystone } from './identityProviders.ts';
import { everythingShown, expectAccessible, visit } from './visitor.ts';

const chromium = await findChromium();

describe('the login of the console', needs(chromium === null ? 'Chromium' : null), () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startChromium(chromium!);
  });
  afterAll(() => browser?.close());

  const USERS = 'auth:\n  type: http_basic\n  http_basic_auth_user_file: users\n';
  const basicService = () =>
    startRoleService(`${USERS}  roles: { ann: admin, olga: operator, rita: reader }\n`, {
      users: htpasswd('ann', 'olga', 'rita', 'nobody'),
    });

  async function logIn(service: RoleService, user: string, password = passwordOf(user)) {
    const visited = await visit(browser, service.url);
    await visited.page.getByLabel('User name').fill(user);
    await visited.page.getByLabel('Password').fill(password);
    await visited.page.getByRole('button', { name: 'Log in' }).click();
    return visited;
  }

  test('is not asked for without authentication', async () => {
    await using service = await startRoleService('');
    const { page, faults, close } = await visit(browser, service.url);
    await page.getByText('No nodes are enrolled.').waitFor();
    expect(await page.getByText('Role: admin').count()).toBe(1);
    expect(await page.getByRole('button', { name: 'Log out' }).count()).toBe(0);
    expect(faults).toEqual([]);
    await close();
  });

  test('by user name and password keeps the password out of the address, cookies and lasting storage', async () => {
    await using service = await basicService();
    const { page, faults, close } = await logIn(service, 'ann');
    await page.getByText('No nodes are enrolled.').waitFor();
    const shown = await everythingShown(page);
    expect(shown).not.toContain(passwordOf('ann'));
    expect(shown).not.toContain(Buffer.from(`ann:${passwordOf('ann')}`).toString('base64'));
    // A reload stays logged in; another tab is not.
    await page.reload();
    await page.getByText('No nodes are enrolled.').waitFor();
    const other = await page.context().newPage();
    await other.goto(`${service.url}/console/`);
    await other.getByLabel('Password').waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Password').waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
    expect(faults).toEqual([]);
    await close();
  });

  test('tells that a password is wrong, and that a user has no role', async () => {
    await using service = await basicService();
    const wrong = await logIn(service, 'ann', 'guessed');
    await wrong.page.getByRole('alert').waitFor();
    await expectAccessible(wrong.page);
    expect(wrong.faults).toEqual([]);
    await wrong.close();
    const nobody = await logIn(service, 'nobody');
    await nobody.page.getByRole('heading', { name: 'You have no access' }).waitFor();
    await nobody.page.getByRole('button', { name: 'Log out' }).click();
    await nobody.page.getByLabel('Password').waitFor();
    await nobody.close();
  });

  test.each([
    ['ann', 'admin'],
    ['olga', 'operator'],
    ['rita', 'reader'],
  ])('shows the name and the role of %s: %s', async (user, role) => {
    await using service = await basicService();
    const { page, close } = await logIn(service, user);
    await page.getByText(`Role: ${role}`).waitFor();
    await page.getByRole('banner').getByText(user, { exact: true }).waitFor();
    await close();
  });

  test('by a Keystone token', async () => {
    const keystone = await startFakeKeystone();
    const config = `auth:\n  type: keystone\n  keystone: { auth_url: "${keystone.url}", username: passthru, password: secret }\n`;
    await using service = await startRoleService(config);
    const { page, faults, close } = await visit(browser, service.url);
    await page.getByLabel('Keystone token').fill('unknown');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('alert').waitFor();
    await page.getByLabel('Keystone token').fill('admin-token\n');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('Role: admin').waitFor();
    expect(await everythingShown(page)).not.toContain('admin-token');
    expect(faults).toEqual([]);
    await close();
    keystone.close();
  });

  test('by a bearer token', async () => {
    const issuer = await makeIssuer();
    const config = `auth:\n  type: jwt\n  jwt: { jwks_file: keys.json, issuer: "${ISSUER}", audience: "${AUDIENCE}", role_claim: role }\n`;
    await using service = await startRoleService(config, { 'keys.json': JSON.stringify(issuer.keySet) });
    const { page, faults, close } = await visit(browser, service.url);
    const token = await issuer.token({ role: 'operator' });
    await page.getByLabel('Bearer token').fill(token);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('Role: operator').waitFor();
    expect(await everythingShown(page)).not.toContain(token);
    expect(faults).toEqual([]);
    await close();
  });
});
