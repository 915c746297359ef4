import { isDeepStrictEqual } from 'node:util';
import type { RestResponse } from '../rest/client.ts';

/** A response as it is compared: without what differs from one run to the next. */
export interface Response {
  status: number;
  /** The headers that clients read; those of the request's id without their value. */
  headers: Record<string, string>;
  /** The document; the fault's text for an error; null without a body. */
  body: unknown;
}

const VERSIONS = ['minimum-version', 'maximum-version', 'version'].map((name) => `x-openstack-ironic-api-${name}`);
const IDS = ['openstack-request-id', 'x-openstack-request-id'];

/** Returns the part of a response of the service at `base` that is compared. */
export function shown({ status, headers, json, text, fault }: RestResponse, base: string): Response {
  const compared = [...VERSIONS, 'location', 'content-type'].flatMap((name): [string, string][] => {
    const value = headers[name];
    return typeof value === 'string' ? [[name, anonymous(value).replace(base, 'BASE').replace(/;.*/, '')]] : [];
  });
  const ids = IDS.filter((name) => headers[name] !== undefined).map((name): [string, string] => [name, 'ID']);
  const body =
    status >= 400 ? (fault?.faultstring ?? fault?.description ?? null) : (json ?? (text === '' ? null : text));
  return { status, headers: Object.fromEntries([...compared, ...ids]), body: alike(body, base) };
}

/** Members with the name of a process, or a list of such names. */
const HOSTS = new Set(['conductor', 'hostname', 'hosts']);

/** Returns `value` without what differs from one run to the next: times, addresses, names of hosts. */
function alike(value: unknown, base: string, key = ''): unknown {
  if (HOSTS.has(key)) return 'HOST';
  if (typeof value === 'string') {
    if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*\+00:00$/.test(value)) return 'TIME';
    return anonymous(value)
      .replaceAll(base, 'BASE')
      .replace(/\/conductors\/[^/?]+$/, '/conductors/HOST');
  }
  if (Array.isArray(value)) return value.map((item) => alike(item, base));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, alike(member, base, name)]));
}

/** Returns where two documents differ, as `path: Ironic's value, here ours`. */
export function differingMembers(theirs: unknown, ours: unknown, path = ''): string[] {
  if (isDeepStrictEqual(theirs, ours)) return [];
  if (typeof theirs !== 'object' || typeof ours !== 'object' || theirs === null || ours === null) {
    return [`${path}: ${text(theirs)}, here ${text(ours)}`];
  }
  const keys = new Set([...Object.keys(theirs), ...Object.keys(ours)]);
  return [...keys].flatMap((key) =>
    differingMembers(
      (theirs as Record<string, unknown>)[key],
      (ours as Record<string, unknown>)[key],
      `${path}/${key}`,
    ),
  );
}

/** Returns the JSON of a value, cut. */
export function text(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 200);
}

/** Replaces the UUIDs that a service chose; those of the requests have eight equal digits. */
function anonymous(value: string): string {
  return value.replaceAll(/(?!([0-9a-f])\1{7}-)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID');
}
