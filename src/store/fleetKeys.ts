import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Database } from './database.ts';
import type { SecretsCipher } from './secretsCipher.ts';
import { countSecretsKeys, rotateSecrets } from './secretsKeys.ts';

/** What a process with a valid lease tells of its keys. */
interface Member {
  id: string;
  host: string;
  /** The keys that it decrypts; null for a program that does not tell. */
  keys: readonly string[] | null;
  /** The key that it encrypts with. */
  writing: string | null;
}

/**
 * Decides which key a process of several encrypts with: the first of its keys that all living processes can read, or that is in
 * use already. Without one it writes plain text, so that the first key of a running fleet, and each later one, locks nobody out.
 *
 * A process first tells which key it is about to use, then looks whether all have it; a process that starts first tells its keys,
 * then looks which are in use. So one of the two notices the other, whichever comes first.
 */
export class FleetKeys {
  readonly #database: Database;
  readonly #cipher: SecretsCipher;
  readonly #log: Logger;
  /** Keys of stored secrets when the store was opened: every process could read them then. */
  #inUse: ReadonlySet<string | null> = new Set();
  #encrypting: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(database: Database, cipher: SecretsCipher, log: Logger) {
    this.#database = database;
    this.#cipher = cipher;
    this.#log = log;
  }

  /** Chooses the key for a process without a lease. */
  async open(): Promise<void> {
    this.#inUse = new Set((await countSecretsKeys(this.#database)).keys());
    const members = await livingMembers(this.#database);
    this.#cipher.writeWith(this.#firstSafe(members));
  }

  /**
   * Admits the conductor `id`, whose row tells its keys. Throws kind `store_unavailable` when others encrypt with a key that
   * this process lacks.
   */
  async join(id: string): Promise<void> {
    const members = await this.#others(id);
    const ahead = members.find(({ writing }) => writing !== null && !this.#cipher.keyIds.includes(writing));
    if (ahead !== undefined) {
      await this.#database.kysely
        .updateTable('conductors')
        .set({ expires_at: this.#database.now })
        .where('id', '=', id)
        .execute();
      throw new PassthruError(
        'store_unavailable',
        `secrets.key_file: the replica ${ahead.host} encrypts secrets with the key ${ahead.writing}, which this process does not have; add that key`,
      );
    }
    await this.#settle(id, members, true);
  }

  /** Looks again which key all can read; called with each renewal of the lease, which it does not fail. */
  async renew(id: string): Promise<void> {
    try {
      if (this.#cipher.writingKeyId !== this.#cipher.keyId) await this.#settle(id, await this.#others(id), false);
    } catch (error) {
      this.#log.warn({ err: error }, 'looking for the keys of the other replicas failed, retrying');
    }
  }

  /** Ends the encryption of what is stored in plain text. */
  stop(): Promise<void> {
    this.#stopped = true;
    return this.#encrypting;
  }

  async #settle(id: string, members: readonly Member[], isNew: boolean): Promise<void> {
    const { keyId, writingKeyId } = this.#cipher;
    if (keyId === null) return;
    let others = members;
    let wanted = this.#firstSafe(others);
    if (!isNew && wanted === writingKeyId) return;
    // Others may start between the look and the word; the key of before, chosen without them, is then none to return to.
    for (let told: string | null | undefined; told !== wanted; wanted = this.#firstSafe(others)) {
      told = wanted;
      await this.#tell(id, told);
      others = await this.#others(id);
    }
    this.#cipher.writeWith(wanted);
    if (wanted !== keyId) {
      const hosts = hostsWithout(keyId, others).join(', ');
      this.#log.warn(
        { key: keyId, hosts },
        'replicas lack the first key of secrets; it is not used until all have it, see docs/security.md',
      );
    } else {
      if (!isNew) this.#log.info({ key: keyId }, 'all replicas have the first key of secrets; it encrypts from now on');
      this.#encrypting = this.#encryptPlain();
    }
  }

  /** Encrypts in the background what was stored in plain text; others may do the same. Never rejects. */
  async #encryptPlain(): Promise<void> {
    try {
      const plain = (await countSecretsKeys(this.#database)).get(null) ?? 0;
      if (plain === 0) return;
      const { changed } = await rotateSecrets(this.#database, this.#cipher, () => {
        if (this.#stopped) throw new Error('the service stops; the next start goes on');
      });
      this.#log.info(
        { nodes: changed, key: this.#cipher.keyId },
        'encrypted the secrets that were stored in plain text',
      );
    } catch (error) {
      this.#log.warn({ err: error }, 'encrypting the secrets stored in plain text failed; run passthru rotate-key');
    }
  }

  /** Returns the first key that all of `members` can read, or that is in use already; null for plain text. */
  #firstSafe(members: readonly Member[]): string | null {
    return this.#cipher.keyIds.find((key) => this.#inUse.has(key) || hostsWithout(key, members).length === 0) ?? null;
  }

  async #others(id: string): Promise<Member[]> {
    return (await livingMembers(this.#database)).filter((member) => member.id !== id);
  }

  async #tell(id: string, key: string | null): Promise<void> {
    await this.#database.kysely.updateTable('conductors').set({ writing_key: key }).where('id', '=', id).execute();
  }
}

/** Returns the hosts of processes with a valid lease that do not have `key`, or do not tell. */
export async function livingHostsWithout(database: Database, key: string): Promise<string[]> {
  return hostsWithout(key, await livingMembers(database));
}

function hostsWithout(key: string, members: readonly Member[]): string[] {
  return [...new Set(members.filter(({ keys }) => !keys?.includes(key)).map(({ host }) => host))].sort();
}

async function livingMembers(database: Database): Promise<Member[]> {
  const rows = await database.kysely
    .selectFrom('conductors')
    .select(['id', 'host', 'key_ids', 'writing_key'])
    .where('expires_at', '>', database.now)
    .execute();
  return rows.map(({ id, host, key_ids: keys, writing_key: writing }) => {
    return { id, host, keys: keys === null ? null : keys.split(' '), writing };
  });
}
