import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, createFileRegistry, type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Access, OPEN_ACCESS } from '../../src/auth/access.ts';
import { ANONYMOUS } from '../../src/core/caller.ts';
import type { Core } from '../../src/core/core.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { CallsInFlight } from '../../src/edge/callsInFlight.ts';
import type { ListenerTls } from '../../src/http/tls.ts';
import { serveApis } from '../../src/service.ts';
import { CALL_LIMITS, LISTENER_LIMITS } from '../defaultLimits.ts';
import { conformanceServices } from './conformanceService.ts';

// The server under test, started by Connect's conformance suite: it reads a ServerCompatRequest, listens accordingly, and
// writes its address. The first argument is the file of the suite's descriptors; the second, `late`, makes authentication
// finish only after the call has begun, as with HTTP Basic or Keystone.

/** The bytes before a message: its length. */
const LENGTH_BYTES = 4;

interface ServerCompatRequest {
  useTls: boolean;
  clientTlsCert: Uint8Array;
  messageReceiveLimit: number;
  serverCreds?: { cert: Uint8Array; key: Uint8Array };
}

const [descriptorFile = '', identity] = process.argv.slice(2);
const descriptors = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptorFile)));
const message = (name: string) => descriptors.getMessage(`connectrpc.conformance.v1.${name}`) as DescMessage;
const request = fromBinary(message('ServerCompatRequest'), readFileSync(0).subarray(LENGTH_BYTES)) as unknown;
const { useTls, clientTlsCert, messageReceiveLimit, serverCreds } = request as ServerCompatRequest;

const late = new Access({
  challenge: null,
  authenticate: () => new Promise((resolve) => setImmediate(resolve, ANONYMOUS)),
  close: async () => {},
});
const { url } = await serveApis({
  host: '127.0.0.1',
  port: 0,
  // The suite's service does not use it; its drivers have no roles of methods.
  core: { drivers: {} } as Core,
  services: conformanceServices(descriptors),
  access: identity === 'late' ? late : OPEN_ACCESS,
  calls: new CallsInFlight(CALL_LIMITS),
  log: silentLogger,
  rest: (_request, response) => {
    response.statusCode = 404;
    response.end();
  },
  corsOrigins: [],
  tls: useTls && serverCreds !== undefined ? writeTls(serverCreds, clientTlsCert) : null,
  localNamesOnly: false,
  limits: LISTENER_LIMITS,
  rpcLimits: messageReceiveLimit > 0 ? { readMaxBytes: messageReceiveLimit } : {},
});

const { hostname, port } = new URL(url);
const where = { host: hostname, port: Number(port), pemCert: useTls ? serverCreds?.cert : undefined };
const response = toBinary(
  message('ServerCompatResponse'),
  create(message('ServerCompatResponse'), where as Record<string, unknown>),
);
const length = Buffer.alloc(LENGTH_BYTES);
length.writeUInt32BE(response.length);
process.stdout.write(Buffer.concat([length, response]));
// The suite sends it when it is done.
process.on('SIGTERM', () => process.exit());

/** Writes the certificates to files, as the listener expects. */
function writeTls({ cert, key }: { cert: Uint8Array; key: Uint8Array }, clientCa: Uint8Array): ListenerTls {
  const folder = mkdtempSync(join(tmpdir(), 'passthru-conformance-'));
  process.once('exit', () => rmSync(folder, { recursive: true }));
  const written = (name: string, content: Uint8Array) => {
    const file = join(folder, name);
    writeFileSync(file, content, { mode: 0o600 });
    return file;
  };
  return {
    certFile: written('cert.pem', cert),
    keyFile: written('key.pem', key),
    clientCaFile: clientCa.length === 0 ? null : written('client-ca.pem', clientCa),
    requireClientCertificate: clientCa.length > 0,
  };
}
