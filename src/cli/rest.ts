import { Agent, request } from 'undici';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { CommandFailure, EXIT_STATUS } from './exitStatus.ts';
import { describeFault } from './failure.ts';
import type { Server } from './server.ts';

/** How long an answer may take to begin, and may then be silent, in milliseconds. */
const TIMEOUT = 60_000;

/**
 * Sends a request to Ironic's REST API at `server`, ours or Ironic's own, and answers the document; null when the answer
 * has none. Redirects are not followed: they could lead the credentials elsewhere.
 * @param path from `/v1` on
 * @throws CommandFailure when the server cannot be reached, refuses, or answers what is no JSON
 */
export async function requestRest(server: Server, method: string, path: string, body?: JsonObject): Promise<Json> {
  const dispatcher = new Agent({ connect: server.tls, headersTimeout: TIMEOUT, bodyTimeout: TIMEOUT });
  try {
    const answer = await request(server.url + path, {
      method: method as 'GET',
      dispatcher,
      headers: {
        accept: 'application/json',
        'x-openstack-ironic-api-version': 'latest',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...server.headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw refusal(server, answer.statusCode, text);
    return text === '' ? null : (JSON.parse(text) as Json);
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    if (error instanceof SyntaxError) {
      throw new CommandFailure(EXIT_STATUS.failed, `${server.url}${path} answers what is no JSON: is it an Ironic?`);
    }
    const why = describeFault(error as Error);
    throw new CommandFailure(EXIT_STATUS.unreachable, `cannot reach ${server.url}: ${why}`);
  } finally {
    await dispatcher.close();
  }
}

const STATUSES: Readonly<Record<number, number>> = { 404: EXIT_STATUS.notFound, 503: EXIT_STATUS.unreachable };

function refusal({ url }: Server, status: number, text: string): CommandFailure {
  const said = faultText(text);
  const message = said === null ? `${url} answered ${status}` : `${url} answered ${status}: ${said}`;
  return new CommandFailure(STATUSES[status] ?? EXIT_STATUS.failed, message);
}

/** What Ironic's error says, `{"error_message": "<a JSON text>"}` or the object itself; null for another's. */
function faultText(text: string): string | null {
  try {
    let fault = (JSON.parse(text) as JsonObject).error_message;
    if (typeof fault === 'string') fault = JSON.parse(fault) as Json;
    const said = isJsonObject(fault) ? (fault.faultstring ?? fault.description ?? fault.title) : null;
    return typeof said === 'string' && said !== '' ? said : null;
  } catch {
    return null;
  }
}
