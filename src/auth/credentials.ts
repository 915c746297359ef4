import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { ClientCertificate, Credentials } from './authenticator.ts';

const AUTHORIZATION = 'authorization';

/** What `request` brings along; an Authorization header that is there twice counts as none. */
export function credentialsOf(request: IncomingMessage | Http2ServerRequest): Credentials {
  const { headers, socket } = request;
  const { authorization = null, 'x-auth-token': token = null } = headers;
  return {
    authorization: authorization !== null && isGivenTwice(request.rawHeaders) ? null : authorization,
    authToken: Array.isArray(token) ? token.join(', ') : token,
    certificate: (socket as TLSSocket).encrypted ? clientCertificate(socket as TLSSocket) : null,
  };
}

/** Whether Authorization is there more than once. Node takes the first; a proxy that checks may have taken another. */
function isGivenTwice(rawHeaders: readonly string[]): boolean {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === AUTHORIZATION.length && name.toLowerCase() === AUTHORIZATION) count += 1;
  }
  return count > 1;
}

function clientCertificate(socket: TLSSocket): ClientCertificate | null {
  // Node leaves this false, whatever the certificate, when the connection asked for none.
  if (!socket.authorized) return null;
  const { subject, subjectaltname } = socket.getPeerCertificate() as Partial<PeerCertificate>;
  if (subject === undefined) return null;
  // More than one common name makes it a list, which names nobody.
  const commonName: unknown = subject.CN;
  return {
    commonName: typeof commonName === 'string' ? commonName : null,
    alternativeNames: alternativeNames(subjectaltname ?? ''),
  };
}

/**
 * The names of `DNS:a, URI:b`. A value that has a separator or a quote in it is written by Node as a JSON string
 * (CVE-2021-44532), so that no value can pass for two.
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
