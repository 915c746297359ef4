import { parentPort } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';

/** A password and the hash to compare it with. */
export interface BcryptTask {
  password: string;
  hash: string;
}

parentPort?.on('message', ({ password, hash }: BcryptTask) => {
  parentPort?.postMessage(compareSync(password, hash));
});
