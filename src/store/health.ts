import { randomBytes, randomUUID } from 'node:crypto';
import { PassthruError } from '../core/errors.ts';
import type { Database } from './database.ts';
import type { SecretsCipher } from './secretsCipher.ts';
import { checkSecretsKeys } from './secretsKeys.ts';

/** The least time between two probes of a store that has failed, in milliseconds. */
const PROBE_INTERVAL = 1000;

/** More than what a full disk may have left in blocks that are in use. */
const PROBE_BYTES = 64 * 1024;

/**
 * Whether the store does what calls need. A store that reads may not write (its disk is full), and one that does both may hold
 * secrets under a key that is missing here. Steps report their failures; only after one the store is probed, so that a
 * healthy one costs no write.
 */
export class StoreHealth {
  readonly #database: Database;
  readonly #cipher: SecretsCipher;
  readonly #interval: number;
  #failure: unknown = null;
  #probing: Promise<void> | null = null;
  #probedAt = Number.NEGATIVE_INFINITY;

  constructor(database: Database, cipher: SecretsCipher, interval: number = PROBE_INTERVAL) {
    this.#database = database;
    this.#cipher = cipher;
    this.#interval = interval;
  }

  /** Remembers that a step failed. */
  failed(error: PassthruError): void {
    this.#failure = error;
  }

  /** Throws why steps fail, until a probe has succeeded. */
  async check(): Promise<void> {
    if (this.#failure === null) return;
    if (this.#probing === null && performance.now() - this.#probedAt >= this.#interval) {
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
      await this.#write();
      await this.#readSecrets();
      // A step may have failed meanwhile.
      if (this.#failure === before) this.#failure = null;
    } catch (error) {
      this.#failure = this.#database.toStoreError(error) ?? error;
    }
  }

  /** Writes and removes a transcript, which nothing refers to; if it stays, it is removed as others are. */
  async #write(): Promise<void> {
    const { kysely } = this.#database;
    const id = randomUUID();
    const row = { id, job_id: null, role: 'admin', end_time: Date.now(), document: randomBytes(PROBE_BYTES) };
    await kysely.insertInto('transcripts').values(row).execute();
    await kysely.deleteFrom('transcripts').where('id', '=', id).execute();
  }

  async #readSecrets(): Promise<void> {
    try {
      await checkSecretsKeys(this.#database, this.#cipher);
    } catch (error) {
      if (!(error instanceof PassthruError)) throw error;
      // Not its message, which names keys: health is shown to anybody.
      const message =
        'The store holds secrets that are encrypted with a key that this process does not have; see secrets.key_file.';
      throw new PassthruError('store_unavailable', message);
    }
  }
}
