import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server as HttpsServer, type ServerOptions } from 'node:https';
import { createSecureContext, type SecureContextOptions, type Server } from 'node:tls';
import { watchFiles } from '../config/watchedFile.ts';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { readFault } from '../core/readFault.ts';

/** The TLS settings of a listener. */
export interface ListenerTls {
  /** Their group in the configuration, for errors. Default `tls`. */
  group?: string;
  /** PEM: the service's certificate, followed by its intermediates. */
  certFile: string;
  /** PEM, without a passphrase. */
  keyFile: string;
  /** PEM: the CAs of client certificates; null when none is requested. */
  clientCaFile: string | null;
  /** Whether to refuse connections without a valid client certificate; otherwise only their calls are refused. */
  requireClientCertificate: boolean;
}

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Returns the options of new connections from the current files: TLS 1.2 and up.
 * @throws kind `failed_precondition` with the configuration key and the reason
 */
function readTlsOptions({ group = 'tls', certFile, keyFile, clientCaFile }: ListenerTls): SecureContextOptions {
  const [certKey, keyKey] = [`${group}.cert_file`, `${group}.key_file`];
  const cert = read(certKey, certFile);
  const [own] = certificates(certKey, certFile, cert);
  const key = read(keyKey, keyFile);
  if (!own.checkPrivateKey(privateKey(keyKey, keyFile, key))) {
    throw unusable(keyKey, keyFile, `does not match the certificate in ${certKey}`);
  }
  const context: SecureContextOptions = { cert, key, minVersion: 'TLSv1.2' };
  if (clientCaFile === null) return context;
  const authorities = read('tls.client_ca_file', clientCaFile);
  certificates('tls.client_ca_file', clientCaFile, authorities);
  return { ...context, ca: authorities };
}

/** Checks the files of `tls`. Throws kind `failed_precondition` with the configuration key and the reason. */
export function checkTlsFiles(tls: ListenerTls): void {
  createSecureContext(readTlsOptions(tls));
}

/**
 * Creates an HTTPS server that offers HTTP/2 and HTTP/1.1 by ALPN. It reloads the files of `tls` when they change while
 * it listens. Its event `secureConnection` corresponds to `connection` of an unencrypted server.
 * @throws kind `failed_precondition` with the configuration key and the reason
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
      ...readTlsOptions(tls),
      ALPNProtocols: ['h2', 'http/1.1'],
      requestCert: tls.clientCaFile !== null,
      rejectUnauthorized: tls.requireClientCertificate,
    },
    handle,
  );
  // Only at debug level: scanners, and clients that do not trust the certificate.
  server.on('tlsClientError', (error) => log.debug({ err: error }, 'TLS handshake failed'));
  server.once('listening', () => server.once('close', watchTlsFiles(server, tls, log)));
  return server;
}

/**
 * Updates the TLS context of `server` when a file changes. While the files do not match, as in the middle of a change,
 * the previous context stays. Open connections keep theirs.
 * @returns a function that ends the watch
 */
function watchTlsFiles(server: Server, tls: ListenerTls, log: Logger): () => void {
  const files = [tls.certFile, tls.keyFile, tls.clientCaFile].filter((file) => file !== null);
  return watchFiles(files, () => {
    try {
      server.setSecureContext(readTlsOptions(tls));
      log.info({ files }, 'certificates reloaded');
    } catch (error) {
      log.error({ why: (error as Error).message }, 'invalid certificates, keeping the previous ones');
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
    // Reported below.
  }
  throw unusable(key, file, 'contains no PEM certificate');
}

function privateKey(key: string, file: string, pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw unusable(key, file, 'contains no PEM private key without a passphrase');
  }
}

function unusable(key: string, file: string, why: string): PassthruError {
  return new PassthruError('failed_precondition', `${key}: ${file} ${why}`);
}
