import { X509Certificate } from 'node:crypto';
import { constants } from 'node:fs';
import { open, opendir, realpath, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { WaitingLine } from '../../core/waiting.ts';

/** CA certificates in a file, or in the files of a folder. */
export interface AuthorityFiles {
  /** Relative to `within`, or absolute. */
  path: string;
  /** The folder, an absolute path, that what is read must be in, wherever links lead. */
  within: string;
}

/** The CAs that BMCs are verified by. */
export type Authorities = { pem: string } | AuthorityFiles;

/** A CA file as it was found. */
interface AuthorityFile {
  path: string;
  /** Changes with the file. */
  state: string;
}

/** CA files that cannot be found or read. */
export class AuthoritiesError extends Error {
  constructor(fault: string) {
    super(`redfish_verify_ca: ${fault}`);
  }
}

/** Of a text that a caller gives: enough for a chain and a few roots. */
const MAX_TEXT_LENGTH = 64 * 1024;
const MAX_TEXT_CERTIFICATES = 32;

/** Of a CA file or folder: twice the public CAs of a Linux distribution. Each certificate takes 0.5 ms of the event loop. */
const MAX_CERTIFICATES = 300;
const MAX_FILES = 1000;
const MAX_BYTES = 4 * 1024 * 1024;

/** How long a file system may take, in ms: one over the network may hang. */
const READ_MS = 5000;

/** How many CA paths are read at once. A read that hangs keeps one of the process's four threads for file systems. */
const READS_AT_ONCE = 2;

const CERTIFICATE = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]+-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;

/** Whether a text is meant as certificates, not as a path. */
export function isPem(text: string): boolean {
  return text.includes('-----BEGIN');
}

/** Returns why `text` cannot be used as CA certificates, without quoting it; null when it can. */
export function pemFault(text: string): string | null {
  if (text.length > MAX_TEXT_LENGTH) return `must be at most ${MAX_TEXT_LENGTH / 1024} KiB of certificates`;
  const certificates = text.match(CERTIFICATE) ?? [];
  if (certificates.length === 0 || text.replace(CERTIFICATE, '').includes('-----')) {
    return 'must hold certificates in PEM and nothing else: -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----';
  }
  if (certificates.length > MAX_TEXT_CERTIFICATES) return `must hold at most ${MAX_TEXT_CERTIFICATES} certificates`;
  const invalid = certificates.findIndex((certificate) => !isCertificate(certificate));
  return invalid === -1 ? null : `holds a certificate (number ${invalid + 1}) that cannot be read`;
}

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}

/** Whether `path` is below `folder` by its name alone; links are not looked at. Both are absolute and normal. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/**
 * Returns the CA files now, with their state, without reading them.
 * @throws AuthoritiesError with one message for whatever is wrong with the path, as callers need not know what is on this machine
 */
export async function findAuthorityFiles({ path, within }: AuthorityFiles): Promise<AuthorityFile[]> {
  const files = new Map<string, AuthorityFile>();
  try {
    const root = await realpath(within);
    const found = await realpath(resolve(within, path));
    if (!isWithin(found, root)) throw new Error('outside');
    const at = await stat(found);
    const paths = at.isDirectory() ? await filesOf(found) : [found];
    for (const link of paths) {
      // A link of a folder may lead nowhere or out: it is left out.
      const file = await realpath(link).catch(() => null);
      if (file === null || !isWithin(file, root)) continue;
      const stats = await stat(file);
      // Not of a device or a pipe, which a look may change or block on; those of /proc show no size.
      const { size, mtimeMs, ino } = stats;
      if (stats.isFile() && size > 0) files.set(file, { path: file, state: `${file} ${size} ${mtimeMs} ${ino}` });
    }
  } catch {
    throw new AuthoritiesError(NOT_READ);
  }
  if (files.size === 0) throw new AuthoritiesError(NOT_READ);
  return [...files.values()];
}

/**
 * Returns the certificates of CA files, in PEM, each once.
 * @throws AuthoritiesError as `findAuthorityFiles`, or when they are too many
 */
export async function readCertificates(files: readonly AuthorityFile[]): Promise<string[]> {
  const certificates = new Set<string>();
  let left = MAX_BYTES;
  for (const { path } of files) {
    const text = await readRegular(path, left);
    if (text === null) throw new AuthoritiesError(`the CA files are longer than ${MAX_BYTES / 1024 / 1024} MiB`);
    left -= text.length;
    for (const certificate of text.match(CERTIFICATE) ?? []) certificates.add(certificate);
    if (certificates.size > MAX_CERTIFICATES) {
      throw new AuthoritiesError(`the CA files hold more than ${MAX_CERTIFICATES} certificates`);
    }
  }
  if (certificates.size === 0) throw new AuthoritiesError(NOT_READ);
  return [...certificates];
}

const NOT_READ =
  'no CA certificate was read from the file or folder: it is absent, not readable by the service, outside of redfish.ca_folder, or has none';

/** Returns the files and links of a folder, sorted. Throws an Error when there are too many. */
async function filesOf(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const entry of await opendir(folder)) {
    if (!entry.isFile() && !entry.isSymbolicLink()) continue;
    paths.push(join(folder, entry.name));
    if (paths.length > MAX_FILES) throw new Error('too many');
  }
  return paths.sort();
}

/** Reads a regular file; null when it is longer than `most` bytes. Throws an AuthoritiesError as `findAuthorityFiles`. */
async function readRegular(path: string, most: number): Promise<string | null> {
  try {
    const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
    // It may be another file by now: a pipe must not block the thread that opens it.
    await using file = await open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error('no regular file');
    if (stats.size > most) return null;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(stats.size), 0, stats.size, 0);
    return buffer.subarray(0, bytesRead).toString('latin1');
  } catch {
    throw new AuthoritiesError(NOT_READ);
  }
}

let reading = 0;
const waiting = new WaitingLine();

/** Runs `work` on file systems when fewer than two others do. Throws an AuthoritiesError when it takes longer than 5 s, the wait included. */
export async function onFileSystem<T>(work: () => Promise<T>): Promise<T> {
  const late = () => new AuthoritiesError(`the CA file or folder was not read within ${READ_MS / 1000} s`);
  const from = performance.now();
  const never = new AbortController().signal;
  if (reading < READS_AT_ONCE) reading++;
  else await waiting.wait(READ_MS, never, late);
  const run = work().finally(() => {
    if (!waiting.grant()) reading--;
  });
  run.catch(() => undefined);
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeout.reject(late()), READ_MS - (performance.now() - from));
  return Promise.race([run, timeout.promise]).finally(() => clearTimeout(timer));
}
