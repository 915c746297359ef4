import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server as HttpsServer, type ServerOptions } from 'node:https';
import type { SecureContextOptions, Server } from 'node:tls';
import { readFault, watchFiles } from '../config/watchedFile.ts';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';

/** What the listener speaks TLS with. */
export interface ListenerTls {
  /** PEM: the service's certificate first, then those between it and its authority. */
  certFile: string;
  /** PEM, without a passphrase. */
  keyFile: string;
  /** PEM: the authorities of client certificates; null when clients are not asked for one. */
  clientCaFile: string | null;
  /** Whether a connection without a certificate of theirs is refused; else its calls are told that it has none. */
  requireClientCertificate: boolean;
}

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * The context of new connections, made of the files as they are now: TLS 1.2 and up.
 * @throws kind `failed_precondition` with the key of the configuration and the reason
 */
function readTlsContext({ certFile, keyFile, clientCaFile }: ListenerTls): SecureContextOptions {
  const cert = read('tls.cert_file', certFile);
  const [own] = certificates('tls.cert_file', certFile, cert);
  const key = read('tls.key_file', keyFile);
  if (!own.checkPrivateKey(privateKey(keyFile, key))) {
    throw unusable('tls.key_file', keyFile, 'is not the key of the certificate in tls.cert_file');
  }
  const context: SecureContextOptions = { cert, key, minVersion: 'TLSv1.2' };
  if (clientCaFile === null) return context;
  const authorities = read('tls.client_ca_file', clientCaFile);
  certificates('tls.client_ca_file', clientCaFile, authorities);
  return { ...context, ca: authorities };
}

/**
 * An HTTP server that speaks TLS, and HTTP/2 or HTTP/1.1 by ALPN, with the files of `tls`, which are read again when they
 * change while it listens. Its event `secureConnection` is what `connection` is to a server in the clear.
 * @throws kind `failed_precondition` with the key of the configuration and the reason
 */
export function createTlsServer(
  tls: ListenerTls,
  options: ServerOptions,
  log: Logger,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): HttpsServer {
  const server = createServer(
    {
      ...options,
      ...readTlsContext(tls),
      ALPNProtocols: ['h2', 'http/1.1'],
      requestCert: tls.clientCaFile !== null,
      rejectUnauthorized: tls.requireClientCertificate,
    },
    handle,
  );
  // What does not get as far as HTTP is nobody's call: scanners, and clients that do not trust the certificate.
  server.on('tlsClientError', (error) => log.debug({ err: error }, 'a TLS handshake failed'));
  server.once('listening', () => server.once('close', renewTlsContext(server, tls, log)));
  return server;
}

/**
 * Gives `server` a new context when a file has changed. While the files do not fit together, as in the middle of being
 * changed, the one before stays. Connections that are open keep theirs.
 * @returns ends the watch
 */
function renewTlsContext(server: Server, tls: ListenerTls, log: Logger): () => void {
  const files = [tls.certFile, tls.keyFile, tls.clientCaFile].filter((file) => file !== null);
  return watchFiles(files, () => {
    try {
      server.setSecureContext(readTlsContext(tls));
      log.info({ files }, 'the certificates were read again');
    } catch (error) {
      log.error({ why: (error as Error).message }, 'the certificates cannot be used; those before stay');
    }
  });
}

function read(key: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unusable(key, file, `cannot be read: ${readFault(error)}`);
  }
}

function certificates(key: string, file: string, pem: string): [X509Certificate, ...X509Certificate[]] {
  try {
    const [first, ...others] = [...pem.matchAll(PEM)].map(([block]) => new X509Certificate(block));
    if (first !== undefined) return [first, ...others];
  } catch {
    // Told below.
  }
  throw unusable(key, file, 'holds no certificate in PEM');
}

function privateKey(file: string, pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw unusable('tls.key_file', file, 'holds no private key in PEM without a passphrase');
  }
}

function unusable(key: string, file: string, why: string): PassthruError {
  return new PassthruError('failed_precondition', `${key}: ${file} ${why}`);
}
