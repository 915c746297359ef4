// Playback: a simulated BMC that responds as the transcript of a call recorded it.
import { open } from 'node:fs/promises';
import { z } from 'zod';
import { PassthruError } from '../../core/errors.ts';
import { isJsonObject, type Json } from '../../core/json.ts';

/** The version that is read. */
const VERSION = 1;

/** The maximum size of a transcript file in bytes. The service keeps about 1 MiB of a call. */
const MAX_BYTES = 64 * 1024 * 1024;

const json = z.custom<Json>((value) => value !== undefined, 'is missing');
const headers = z.record(z.string(), z.string());
/** A body as `body` (JSON, text, or base64 where `encoding` says so); `truncated` when not all of it was recorded. */
const body = { body: json, encoding: z.literal('base64').optional(), truncated: z.boolean().optional() };

const exchange = z.object({
  request: z.object({ method: z.string(), path: z.string(), headers: headers.default({}) }),
  response: z
    .object({ status: z.int().min(100).max(599), headers: headers.default({}), cut: z.boolean().optional(), ...body })
    .nullable(),
  error: z.string().nullable().default(null),
  sent: z.boolean().default(true),
});

const context = z.object({
  origin: z.string().optional(),
  root: z.string().default('/redfish/v1/'),
  system: z.string().nullable().default(null),
  auth_type: z.string().default('auto'),
  login: z.enum(['none', 'session', 'basic', 'refused', 'closed']).default('closed'),
  documents: z.record(z.string(), z.record(z.string(), json)).default({}),
  unreadable: z.record(z.string(), z.object({ status: z.int().min(400).max(599), body: json })).default({}),
});

const transcript = z.object({
  id: z.string(),
  node_uuid: z.string().nullable(),
  driver: z.string(),
  method: z.string(),
  http_method: z.string(),
  arguments: z.record(z.string(), json),
  outcome: z.object({ state: z.string(), error: z.string().nullable().default(null) }),
  start_time: z.string(),
  context: context.prefault({}),
  exchanges: z.array(exchange),
  omitted: z.int().default(0),
});

/** The transcript of a call on a Redfish BMC, as `GET /v1/jobs/ID/transcript` returns it. */
export type Transcript = z.infer<typeof transcript>;
export type Exchange = Transcript['exchanges'][number];

/** Reads a transcript. Throws `invalid_argument` with the file and the reason when it cannot be read or played back. */
export async function loadTranscript(file: string): Promise<Transcript> {
  const name = `Transcript ${file}`;
  let text: string;
  try {
    text = await readBounded(file);
  } catch (cause) {
    throw fault(name, (cause as Error).message, cause);
  }
  return parseTranscript(text, name);
}

/**
 * Parses a transcript.
 * @param name names it in errors
 * @throws kind `invalid_argument` when it is none, or cannot be played back
 */
export function parseTranscript(text: string, name = 'Transcript'): Transcript {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fault(name, (cause as Error).message, cause);
  }
  if (!isJsonObject(value) || typeof value.transcript !== 'number') {
    throw fault(name, 'not a transcript: "transcript", the version of the format, is missing');
  }
  if (value.transcript !== VERSION) {
    throw fault(name, `its version is ${value.transcript}, and this passthru reads version ${VERSION}`);
  }
  const { data, error } = transcript.safeParse(value);
  if (data === undefined) throw fault(name, error.issues.slice(0, 5).map(describeIssue).join('; '), error);
  if (data.exchanges.length === 0) throw fault(name, 'it has no exchanges, so that there is nothing to play back');
  return data;
}

function fault(name: string, why: string, cause?: unknown): PassthruError {
  return new PassthruError('invalid_argument', `${name}: ${why}`, { cause });
}

async function readBounded(file: string): Promise<string> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    if (size > MAX_BYTES) throw new Error(`it has ${size} bytes, and at most ${MAX_BYTES} are read`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

function describeIssue({ path, message, code, input }: z.core.$ZodIssue): string {
  const at = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  const why = code === 'invalid_type' && input === undefined ? 'is missing' : message;
  return `${at.replace(/^\./, '')}: ${why}`;
}
