import { hashSync } from 'bcryptjs';
import type { Login } from './requests.ts';

/** Returns a user file, in which each password is the user's name reversed. The hashes are cheap. */
export function htpasswd(...users: string[]): string {
  return users.map((user) => `${user}:${hashSync(passwordOf(user), 4)}\n`).join('');
}

export function passwordOf(user: string): string {
  return [...user].reverse().join('');
}

/** Returns the credentials of HTTP Basic. */
export function basic(user: string, password: string = passwordOf(user)): Login {
  return { headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` } };
}
