import { parentPort } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';

/** A password and the hash to compare it with, if there is one. */
export interface BcryptTask {
  password: string;
  hash: string | undefined;
  /** Compared too if `hash` does not match, for the time it takes. */
  decoys: readonly string[];
}

parentPort?.on('message', ({ password, hash, decoys }: BcryptTask) => {
  const matches = hash !== undefined && compareSync(password, hash);
  if (!matches) for (const decoy of decoys) compareSync(password, decoy);
  parentPort?.postMessage(matches);
});
