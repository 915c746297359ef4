import { randomBytes, randomUUID } from 'node:crypto';
import { PassthruError } from '../core/errors.ts';
import { withBusyRetry } from './busyRetry.ts';
import type { Database } from './database.ts';
import { MissingKeyError, type SecretsCipher } from './secretsCipher.ts';
import { checkSecretsKeys } from './secretsKeys.ts';

/** The least times between two probes of a store that has failed, and of a healthy one, in milliseconds. */
const FAILED_INTERVAL = 1000;
const HEALTHY_INTERVAL = 10_000;

/** The time until the keys of all secrets are looked at again, in milliseconds: it reads every node. */
const SECRETS_INTERVAL = 600_000;

/** More than what a full disk may have left in blocks that are in use. */
const FAILED_BYTES = 64 * 1024;

/** As much as a call writes. */
const HEALTHY_BYTES = 2 * 1024;

/**
 * Whether the store does what calls need. A store that reads may not write (its disk is full, its file or its server is
 * read-only), and one that does both may hold secrets under a key that is missing here. Steps report their failures; those
 * who ask for the health have it probed too, before a call is refused.
 */
export class StoreHealth {
  readonly #database: Database;
  readonly #cipher: SecretsCipher;
  readonly #closed: AbortSignal;
  #failure: unknown = null;
  /** Whether a step or a probe has failed since the last change. */
  #refuses = false;
  #probing: Promise<void> | null = null;
  #probedAt = Number.NEGATIVE_INFINITY;
  #secretsReadAt = Number.NEGATIVE_INFINITY;

  /** @param closed ends a probe that waits for another program */
  constructor(database: Database, cipher: SecretsCipher, closed: AbortSignal) {
    this.#database = database;
    this.#cipher = cipher;
    this.#closed = closed;
  }

  /** Whether the last change succeeded, as far as known. */
  get takesChanges(): boolean {
    return !this.#refuses;
  }

  /** Remembers that a change succeeded, which shows nothing of other steps. */
  changed(): void {
    this.#refuses = false;
  }

  /** Remembers that a step failed. */
  failed(error: PassthruError): void {
    this.#refuses = true;
    // Health is shown to anybody.
    this.#failure = error instanceof MissingKeyError ? missingKey() : error;
  }

  /** Throws why steps fail, until a probe has succeeded. Probes at most once in an interval. */
  async check(): Promise<void> {
    const interval = this.#failure === null ? HEALTHY_INTERVAL : FAILED_INTERVAL;
    if (this.#probing === null && performance.now() - this.#probedAt >= interval) {
      this.#probing = this.#probe().finally(() => {
        this.#probing = null;
        this.#probedAt = performance.now();
      });
    }
    await this.#probing;
    if (this.#failure !== null) throw this.#failure;
  }

  async #probe(): Promise<void> {
    const before = this.#failure;
    try {
      await this.#write(before === null ? HEALTHY_BYTES : FAILED_BYTES);
      // Only in a shared database can others store what this process cannot read.
      const isDue = this.#database.shared && performance.now() - this.#secretsReadAt >= SECRETS_INTERVAL;
      if (before !== null || isDue) await this.#readSecrets();
      // A step may have failed meanwhile.
      if (this.#failure === before) {
        this.#failure = null;
        this.#refuses = false;
      }
    } catch (error) {
      this.#refuses = true;
      this.#failure = this.#database.toStoreError(error) ?? error;
    }
  }

  /** Writes and removes a transcript, which nothing refers to; if it stays, it is removed as others are. */
  async #write(bytes: number): Promise<void> {
    const { kysely } = this.#database;
    const id = randomUUID();
    const row = { id, job_id: null, role: 'admin', end_time: Date.now(), document: randomBytes(bytes) };
    const isBusy = (error: unknown) => this.#database.isBusy?.(error) ?? false;
    const patiently = (step: () => Promise<unknown>) => withBusyRetry(step, isBusy, this.#closed);
    await patiently(() => kysely.insertInto('transcripts').values(row).execute());
    await patiently(() => kysely.deleteFrom('transcripts').where('id', '=', id).execute());
    // A disk that takes forever is no healthier than one that fails.
    await this.#database.onDisk();
  }

  async #readSecrets(): Promise<void> {
    try {
      await checkSecretsKeys(this.#database, this.#cipher);
      this.#secretsReadAt = performance.now();
    } catch (error) {
      if (!(error instanceof PassthruError)) throw error;
      throw missingKey();
    }
  }
}

/** Tells that a key is missing, and neither which one nor whose secrets it encrypts. */
function missingKey(): PassthruError {
  const message =
    'The store holds secrets that are encrypted with a key that this process does not have; see secrets.key_file.';
  return new PassthruError('store_unavailable', message);
}
