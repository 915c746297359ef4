import { hashSync } from 'bcryptjs';
import type { Proof } from './requests.ts';

/** The lines of a user file: each user's password is its name backwards. Little work, for the test's sake. */
export function htpasswd(...users: string[]): string {
  return users.map((user) => `${user}:${hashSync(passwordOf(user), 4)}\n`).join('');
}

export function passwordOf(user: string): string {
  return [...user].reverse().join('');
}

/** HTTP Basic as a client sends it. */
export function basic(user: string, password: string = passwordOf(user)): Proof {
  return { headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` } };
}
