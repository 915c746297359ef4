import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { PassthruError } from '../core/errors.ts';
import { isJsonObject } from '../core/json.ts';
import type { Profile } from './bmc.ts';
import { ROOT } from './bmc.ts';
import type { RedfishDocument } from './documents.ts';
import { documentPath } from './documents.ts';
import { QUIRKS } from './quirks/named.ts';
import { asRecorded, readFacts } from './recorded.ts';

/** The member of a capture that is no document: what `passthru probe` recorded beside them. */
const FACTS = '@passthru.capture';

/**
 * Returns a profile with the documents of a capture: a JSON file of documents by Redfish path, and what `passthru probe`
 * recorded beside them. Throws `invalid_argument` with the file and the reason when it cannot be read or is not a capture.
 */
export async function loadCapture(file: string): Promise<Profile> {
  let capture: unknown;
  try {
    capture = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new PassthruError('invalid_argument', `Capture ${file}: ${(cause as Error).message}`, { cause });
  }
  if (!isJsonObject(capture)) throw invalid(file, 'not a JSON object of documents by path');
  const documents = new Map<string, RedfishDocument>();
  const { [FACTS]: recorded, ...byPath } = capture;
  for (const [key, document] of Object.entries(byPath)) {
    const path = documentPath(key);
    if (path === null || !`${path}/`.startsWith(`${ROOT}/`)) throw invalid(file, `${key} is not a path under ${ROOT}`);
    if (!isJsonObject(document)) throw invalid(file, `the document at ${key} is not a JSON object`);
    documents.set(path, document);
  }
  const profile = { name: basename(file), description: `The documents of ${file}`, documents };
  if (recorded === undefined) {
    if (!documents.has(ROOT)) throw invalid(file, `the service root ${ROOT} is missing`);
    return profile;
  }
  const facts = readFacts(recorded, (why) => invalid(file, `${FACTS}: ${why}`));
  const quirks = facts.quirks.map((name) => {
    const quirk = QUIRKS.get(name);
    if (quirk === undefined) throw invalid(file, `${FACTS}: quirks: there is no quirk ${name}`);
    return quirk;
  });
  return {
    ...profile,
    verbatim: true,
    ...(facts.open ? { auth: 'none' } : {}),
    quirks: [...quirks, asRecorded(facts)],
  };
}

function invalid(file: string, why: string): PassthruError {
  return new PassthruError('invalid_argument', `Capture ${file}: ${why}`);
}
