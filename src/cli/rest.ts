import { Agent, request } from 'undici';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { CommandFailure, EXIT_STATUS } from './exitStatus.ts';
import { unansweredRequest } from './failure.ts';
import type { Server } from './server.ts';

/** How long an answer may take to begin, and may then be silent, in milliseconds. */
const TIMEOUT = 60_000;

/** The connections to each server: many requests go to the same one. What is idle keeps no process alive. */
const agents = new WeakMap<Server, Agent>();

/**
 * Sends a request to Ironic's REST API at `server`, ours or Ironic's own, and answers the document; null when the answer
 * has none. Redirects are not followed: they could lead the credentials elsewhere.
 * @param path from `/v1` on
 * @throws CommandFailure when the server cannot be reached, refuses, or answers what is no JSON
 */
export async function requestRest(server: Server, method: string, path: string, body?: JsonObject): Promise<Json> {
  const headers = { 'x-openstack-ironic-api-version': 'latest' };
  return (await exchangeJson(server, method, path, { body, headers })).document;
}

/**
 * As `requestRest`, of any API that speaks JSON; answers the headers too.
 * @param sent the headers are sent beside the server's own
 */
export async function exchangeJson(
  server: Server,
  method: string,
  path: string,
  sent: { body?: JsonObject; headers?: Record<string, string> } = {},
): Promise<{ document: Json; headers: Record<string, string | string[] | undefined> }> {
  const { body, headers } = sent;
  try {
    const answer = await request(server.url + path, {
      method: method as 'GET',
      dispatcher: agentOf(server),
      headers: {
        accept: 'application/json',
        ...headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...server.headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw refusal(server, answer.statusCode, text);
    return { document: text === '' ? null : (JSON.parse(text) as Json), headers: answer.headers };
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    if (error instanceof SyntaxError) {
      throw new CommandFailure(EXIT_STATUS.failed, `${server.url}${path} answers what is no JSON: is it an Ironic?`);
    }
    throw unansweredRequest(error as Error, server);
  }
}

function agentOf(server: Server): Agent {
  const known = agents.get(server);
  if (known !== undefined) return known;
  const agent = new Agent({ connect: server.tls, headersTimeout: TIMEOUT, bodyTimeout: TIMEOUT });
  agents.set(server, agent);
  return agent;
}

const STATUSES: Readonly<Record<number, number>> = { 404: EXIT_STATUS.notFound, 503: EXIT_STATUS.unreachable };

function refusal({ url, advice }: Server, status: number, text: string): CommandFailure {
  const said = faultText(text);
  const message = said === null ? `${url} answered ${status}` : `${url} answered ${status}: ${said}`;
  const signOn = status === 401 ? `\n  ${advice.signOn}` : '';
  return new CommandFailure(STATUSES[status] ?? EXIT_STATUS.failed, message + signOn);
}

/**
 * What the error of Ironic says, `{"error_message": "<a JSON text>"}` or the object itself, or that of Keystone,
 * `{"error": {"message": …}}`; null for another's.
 */
function faultText(text: string): string | null {
  try {
    const { error_message: ironic, error: keystone } = JSON.parse(text) as JsonObject;
    if (isJsonObject(keystone)) return textOrNull(keystone.message);
    const fault = typeof ironic === 'string' ? (JSON.parse(ironic) as Json) : ironic;
    return isJsonObject(fault) ? textOrNull(fault.faultstring ?? fault.description ?? fault.title) : null;
  } catch {
    return null;
  }
}

function textOrNull(value: Json | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
