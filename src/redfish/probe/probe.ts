import type { JsonObject } from '../../core/json.ts';
import type { RedfishTarget } from '../bmcContext.ts';
import type { RedfishClient } from '../client.ts';
import { createRedfishClients } from '../clients.ts';
import { RedfishError } from '../errors.ts';
import { bare, optionalLinkPath } from '../links.ts';
import { getEventService, getSubscription, listSubscriptions } from '../resources/eventService.ts';
import { findOnlySystem } from '../resources/system.ts';
import { MediaSearch } from '../resources/virtualMedia.ts';
import { toCapture } from './captureFile.ts';
import { type CertificateFacts, readCertificate } from './certificate.ts';
import { Crawl, ProbeStopped } from './crawl.ts';
import { kindsIn } from './kinds.ts';
import { machineIn } from './machine.ts';
import { type Trials, verdictsOf } from './methods.ts';
import { type LoginRecord, type ProbeExchange, type Recording, record } from './recording.ts';
import { Redaction } from './redaction.ts';
import { type ProbeReport, toReport } from './report.ts';

/** How a probe is made. */
export interface ProbeOptions {
  /** Path of the system that the methods are for; null for the only one. */
  systemPath: string | null;
  /** Maximum number of requests, besides the login and logout. */
  maxRequests: number;
  /** Ends the probe, which then returns what it has read; abort it with a `ProbeStopped` that says why. */
  signal: AbortSignal;
  keepIdentity: boolean;
  /** Does what the driver's `discover` does. */
  discover: (client: RedfishClient) => Promise<unknown>;
}

/** The result of a probe, redacted. */
export interface ProbeResult {
  /** A JSON object that `passthru sim --capture` serves. */
  capture: JsonObject;
  report: ProbeReport;
}

/** Requests at once; a BMC serves few, and others need it too. */
const AT_ONCE = 2;

/**
 * Reads what the BMC at `target` shows, in at most two requests at once, and returns it redacted, with the kinds of behaviour
 * that it met and which methods will work. Sends nothing but GET, and its own login and logout.
 * @throws RedfishError when the service root cannot be read: kind `unreachable`, `tls`, `timeout` …
 */
export async function probeBmc(target: RedfishTarget, options: ProbeOptions): Promise<ProbeResult> {
  const { signal, keepIdentity } = options;
  const exchanges: ProbeExchange[] = [];
  const clients = createRedfishClients({
    maxConnections: AT_ONCE,
    observe: ({ method, path, status, durationMs }) => exchanges.push({ method, path, status, durationMs }),
  });
  try {
    const certificate = await readCertificate(target, signal);
    let sent = 0;
    const beforeSend = () => {
      if (sent === options.maxRequests) throw new ProbeStopped(`it had sent ${sent} requests`);
      sent++;
    };
    const recording = emptyRecording(target, exchanges);
    return await clients.once(target, { signal, beforeSend }, async (client) => {
      const trials = await readAll(client, recording, target, options);
      const redaction = new Redaction({
        origin: target.origin,
        username: target.account.username,
        secrets: client.secrets,
        keepIdentity,
      });
      return conclude({ recording, redaction, trials, certificate });
    });
  } finally {
    await clients.close();
  }
}

function emptyRecording(target: RedfishTarget, exchanges: ProbeExchange[]): Recording {
  return {
    root: bare(target.root),
    responses: new Map(),
    found: new Map(),
    strangers: new Map(),
    pages: new Map(),
    silent: new Map(),
    login: { kind: 'none', refusal: null, error: null },
    exchanges,
    stopped: null,
  };
}

/** Reads as a stranger, logs in, reads everything in scope, and then as the methods do. */
async function readAll(
  client: RedfishClient,
  recording: Recording,
  target: RedfishTarget,
  options: ProbeOptions,
): Promise<Trials> {
  const stranger = client.with({ anonymous: true });
  try {
    const guarded = await readAsStranger(stranger, recording);
    recording.login = await logIn(client, recording, target, guarded);
    const reader = ['session', 'basic'].includes(recording.login.kind) ? client : stranger;
    await new Crawl(reader, recording).run(options.systemPath);
    return recording.login.kind === 'failed' ? {} : await tryReads(reader, options);
  } catch (error) {
    if (!(error instanceof ProbeStopped) || recording.strangers.size === 0) throw error;
    recording.stopped = error.message;
    return {};
  }
}

/**
 * Reads the service root and the systems without credentials. The service root is asked for without its final slash too, as
 * some BMCs redirect.
 * @returns a path that strangers may not read; null when there is none
 */
async function readAsStranger(client: RedfishClient, { strangers }: Recording): Promise<string | null> {
  const { root, origin } = client;
  await client.getAny(root.replace(/(?<!\/)\/+$/, ''));
  const response = record(await client.getAny(root));
  strangers.set(bare(root), response);
  const linked = ['Systems', 'Managers'].map((name) => {
    try {
      return optionalLinkPath(response.document?.[name], origin) ?? `${root}${name}`;
    } catch {
      return `${root}${name}`;
    }
  });
  let guarded: string | null = null;
  for (const path of linked) {
    const found = record(await client.getAny(path));
    strangers.set(bare(path), found);
    if (guarded === null && [401, 403].includes(found.status)) guarded = path;
  }
  return guarded;
}

/** Logs in and reads what strangers may not read, which shows whether the credentials are right. */
async function logIn(
  client: RedfishClient,
  { exchanges }: Recording,
  { account }: RedfishTarget,
  guarded: string | null,
): Promise<LoginRecord> {
  if (account.username === null) return { kind: 'none', refusal: null, error: null };
  const before = exchanges.length;
  const ended = (error: string | null): LoginRecord => {
    const posts = exchanges.slice(before).filter(({ method }) => method === 'POST');
    const last = posts.at(-1);
    const refused = last !== undefined && last.status !== null && last.status >= 300;
    const refusal = refused ? { path: bare(last.path), status: last.status! } : null;
    const kind = last === undefined || refused ? 'basic' : 'session';
    return { kind: error === null ? kind : 'failed', refusal, error };
  };
  try {
    await client.logIn();
    const { status } = guarded === null ? { status: 200 } : await client.getAny(guarded);
    return ended(status === 401 ? 'the BMC refuses the user name or password' : null);
  } catch (error) {
    if (error instanceof RedfishError) return ended(error.message);
    throw error;
  }
}

/** Runs the reading parts of the methods, so that a verdict about them is no guess. */
async function tryReads(client: RedfishClient, { systemPath, discover }: ProbeOptions): Promise<Trials> {
  const trials: Trials = {};
  const attempt = async <T>(name: keyof Trials, read: () => Promise<T>): Promise<T | null> => {
    try {
      const result = await read();
      trials[name] = null;
      return result;
    } catch (error) {
      if (!(error instanceof RedfishError)) throw error;
      trials[name] = error;
      return null;
    }
  };
  try {
    await attempt('eventService', () => getEventService(client));
    const list = await attempt('listSubscriptions', () => listSubscriptions(client));
    const first = list?.members[0];
    if (first !== undefined) {
      const id = bare(first.path).split('/').at(-1)!;
      await attempt('getSubscription', () => getSubscription(client, id));
    }
    const system = await attempt('findSystem', async () => systemPath ?? findOnlySystem(client));
    if (system !== null) await attempt('listMedia', () => new MediaSearch(client, system).all());
    await attempt('discover', () => discover(client));
  } catch (error) {
    // The methods that were not tried are told so.
    if (!(error instanceof ProbeStopped)) throw error;
  }
  return trials;
}

interface Probed {
  recording: Recording;
  redaction: Redaction;
  trials: Trials;
  certificate: CertificateFacts | null;
}

function conclude({ recording, redaction, trials, certificate }: Probed): ProbeResult {
  const clean = redaction.recording(recording);
  const machine = machineIn(clean);
  // The forms of links are those that the BMC sent.
  const kinds = kindsIn(recording, machineIn(recording), certificate);
  const methods = verdictsOf(trials, machine, recording.login.kind).map(({ method, verdict, why }) => ({
    method,
    verdict,
    why: redaction.words(why),
  }));
  return {
    capture: toCapture(clean, machine, kinds, new Date()),
    report: toReport({ recording: clean, machine, kinds, certificate, methods }),
  };
}
