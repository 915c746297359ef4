import type { IncomingMessage } from 'node:http';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { ClientCertificate, Credentials } from './authenticator.ts';

const AUTHORIZATION = 'authorization';

/** Returns the credentials of `request`; a duplicate Authorization header counts as absent. */
export function credentialsOf(request: Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'socket'>): Credentials {
  const { headers, socket } = request;
  const { authorization = null, 'x-auth-token': token = null } = headers;
  return {
    authorization: authorization !== null && isDuplicate(request.rawHeaders) ? null : authorization,
    authToken: Array.isArray(token) ? token.join(', ') : token,
    certificate: (socket as TLSSocket).encrypted ? clientCertificate(socket as TLSSocket) : null,
  };
}

/** Whether Authorization occurs more than once: Node takes the first, but a proxy may have checked another. */
function isDuplicate(rawHeaders: readonly string[]): boolean {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === AUTHORIZATION.length && name.toLowerCase() === AUTHORIZATION) count += 1;
  }
  return count > 1;
}

function clientCertificate(socket: TLSSocket): ClientCertificate | null {
  // False for any certificate when the handshake requested none.
  if (!socket.authorized) return null;
  const { subject, subjectaltname } = socket.getPeerCertificate() as Partial<PeerCertificate>;
  if (subject === undefined) return null;
  // Several common names make a list, which identifies no one.
  const commonName: unknown = subject.CN;
  return {
    commonName: typeof commonName === 'string' ? commonName : null,
    alternativeNames: alternativeNames(subjectaltname ?? ''),
  };
}

/**
 * Parses `DNS:a, URI:b`. Node writes a value with a separator or a quote as a JSON string (CVE-2021-44532), so no value
 * passes for two.
 */
function alternativeNames(text: string): string[] {
  const names: string[] = [];
  for (const [, kind, value = ''] of text.matchAll(/(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)/g)) {
    if (kind === 'DNS' || kind === 'email' || kind === 'URI') {
      names.push(value.startsWith('"') ? (JSON.parse(value) as string) : value);
    }
  }
  return names;
}
