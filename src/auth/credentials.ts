import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { ClientCertificate, Credentials } from './authenticator.ts';

/** What `request` brings along. */
export function credentialsOf(request: IncomingMessage | Http2ServerRequest): Credentials {
  const { headers, socket } = request;
  const { authorization = null, 'x-auth-token': token = null } = headers;
  return {
    authorization,
    authToken: Array.isArray(token) ? token.join(', ') : token,
    certificate: (socket as TLSSocket).encrypted ? clientCertificate(socket as TLSSocket) : null,
  };
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
