import { Agent, request } from 'undici';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { maskText } from '../core/secrets.ts';
import { CommandFailure, EXIT_STATUS } from './exitStatus.ts';
import { failedRequest } from './failure.ts';
import type { Server } from './server.ts';

/** Timeout for the response's headers, and for silence in its body, in ms. */
const TIMEOUT = 60_000;

/** The connections to each server; idle ones do not keep the process alive. */
const agents = new WeakMap<Server, Agent>();

/**
 * Sends a request to the REST API of `server`, this service or Ironic; returns the document, null when the body is empty.
 * Redirects are not followed, since they could send the credentials elsewhere.
 * @param path from `/v1` on
 * @throws CommandFailure when the server is unreachable, refuses the request, or returns invalid JSON
 */
export async function requestRest(server: Server, method: string, path: string, body?: JsonObject): Promise<Json> {
  const headers = { 'x-openstack-ironic-api-version': 'latest' };
  return (await exchangeJson(server, method, path, { body, headers })).document;
}

/**
 * Sends a request to any JSON API; returns the headers too.
 * @param sent headers in addition to those of the server
 */
export async function exchangeJson(
  server: Server,
  method: string,
  path: string,
  sent: { body?: JsonObject; headers?: Record<string, string> } = {},
): Promise<{ document: Json; headers: Record<string, string | string[] | undefined> }> {
  const { body, headers } = sent;
  try {
    const response = await request(server.url + path, {
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
    const text = await response.body.text();
    if (response.statusCode >= 300) throw refusal(server, path, { ...response, text });
    return { document: text === '' ? null : (JSON.parse(text) as Json), headers: response.headers };
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    if (error instanceof SyntaxError) {
      throw new CommandFailure(
        EXIT_STATUS.failed,
        `${withoutQuery(server, path)} did not return JSON; is this the URL of ${server.advice.api}?`,
      );
    }
    throw failedRequest(error as Error, server);
  }
}

function agentOf(server: Server): Agent {
  const pooled = agents.get(server);
  if (pooled !== undefined) return pooled;
  const limit = server.timeout ?? TIMEOUT;
  const agent = new Agent({ connect: server.tls, headersTimeout: limit, bodyTimeout: limit });
  agents.set(server, agent);
  return agent;
}

const STATUSES: Readonly<Record<number, number>> = { 404: EXIT_STATUS.notFound, 503: EXIT_STATUS.unreachable };

interface Refusal {
  statusCode: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

function refusal(server: Server, path: string, { statusCode: status, headers, text }: Refusal): CommandFailure {
  const { url, advice } = server;
  const fault = faultText(text);
  if (fault !== null || status === 401) {
    const isNotFound = status === 404 && advice.api === 'a passthru service';
    const message =
      isNotFound && fault !== null ? fault : `${url} responded ${status}${fault === null ? '' : `: ${fault}`}`;
    const credentials = status === 401 ? `\n  ${advice.credentials}` : '';
    return new CommandFailure(STATUSES[status] ?? EXIT_STATUS.failed, message + credentials);
  }
  // Each of these APIs describes its errors: this is another server, or one in front of it.
  const { location } = headers;
  const other = typeof location === 'string' ? ` and redirects to ${maskText(location)}, which is not followed` : '';
  return new CommandFailure(
    status === 503 ? EXIT_STATUS.unreachable : EXIT_STATUS.failed,
    `${withoutQuery(server, path)} responded ${status}${other}; is this the URL of ${advice.api}?`,
  );
}

function withoutQuery({ url }: Server, path: string): string {
  return url + path.replace(/\?.*/, '');
}

/**
 * Returns the message of an error of Ironic (`{"error_message": "<JSON>"}`, or the object itself) or of Keystone
 * (`{"error": {"message": …}}`); null for any other body.
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

/** Returns `value` if it is a non-empty string. */
export function textOrNull(value: Json | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
