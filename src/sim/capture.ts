import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { PassthruError } from '../core/errors.ts';
import { isJsonObject } from '../core/json.ts';
import type { Profile } from './bmc.ts';
import { ROOT } from './bmc.ts';
import type { RedfishDocument } from './documents.ts';
import { documentPath } from './path.ts';

/**
 * A profile made from a capture: a JSON file that maps each Redfish path to the document that a BMC answered there.
 * Throws `invalid_argument`, naming the file and what is wrong with it, when it cannot be read or is none.
 */
export async function loadCapture(file: string): Promise<Profile> {
  let capture: unknown;
  try {
    capture = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new PassthruError('invalid_argument', `Capture ${file}: ${(cause as Error).message}`, { cause });
  }
  if (!isJsonObject(capture)) throw refuse(file, 'it is not a JSON object of documents by path');
  const documents = new Map<string, RedfishDocument>();
  for (const [key, document] of Object.entries(capture)) {
    const path = documentPath(key);
    if (path === null || !`${path}/`.startsWith(`${ROOT}/`)) throw refuse(file, `${key} is not a path under ${ROOT}`);
    if (!isJsonObject(document)) throw refuse(file, `the document at ${key} is not a JSON object`);
    documents.set(path, document);
  }
  if (!documents.has(ROOT)) throw refuse(file, `the service root ${ROOT} is not in it`);
  return { name: basename(file), description: `The documents of ${file}`, documents };
}

function refuse(file: string, why: string): PassthruError {
  return new PassthruError('invalid_argument', `Capture ${file}: ${why}`);
}
