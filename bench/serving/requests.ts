import { create, toBinary, toJsonString } from '@bufbuild/protobuf';
import {
  CallNodeMethodRequestSchema,
  ListNodeMethodsRequestSchema,
  PassthruService,
} from '../../gen/passthru/v1/passthru_pb.ts';
import type { Request } from './work.ts';

/** A way to call the service. */
export type Protocol = 'rest' | 'connect-json' | 'connect-proto' | 'grpc-web' | 'grpc';

/** The RPC of a request. */
export type Rpc = 'CallNodeMethod' | 'ListNodeMethods';

const IRONIC_VERSION = { 'X-OpenStack-Ironic-API-Version': '1.80' };

const RPC_HEADERS: Record<Exclude<Protocol, 'rest'>, Record<string, string>> = {
  'connect-json': { 'content-type': 'application/json', 'connect-protocol-version': '1' },
  'connect-proto': { 'content-type': 'application/proto', 'connect-protocol-version': '1' },
  'grpc-web': { 'content-type': 'application/grpc-web+proto', 'x-grpc-web': '1' },
  grpc: { 'content-type': 'application/grpc', te: 'trailers' },
};

/** Lists the methods of `node`. */
export function listMethods(protocol: Protocol, node: string): Request {
  if (protocol === 'rest') {
    const path = `/v1/nodes/${node}/vendor_passthru/methods`;
    return { method: 'GET', path, headers: IRONIC_VERSION, body: Buffer.alloc(0) };
  }
  const schema = ListNodeMethodsRequestSchema;
  const message = create(schema, { node });
  return rpc('ListNodeMethods', protocol, toBinary(schema, message), toJsonString(schema, message));
}

/** Calls `third_method_sync` of the fake driver, which takes the exclusive lock and does nothing. */
export function call(protocol: Protocol, node: string): Request {
  if (protocol === 'rest') return restCall(node, 'third_method_sync', 'meow');
  const schema = CallNodeMethodRequestSchema;
  const message = create(schema, { node, method: 'third_method_sync', arguments: { bar: 'meow' } });
  return rpc('CallNodeMethod', protocol, toBinary(schema, message), toJsonString(schema, message));
}

/** Calls `second_method`, which does nothing as a job under the exclusive lock. */
export function asyncCall(node: string): Request {
  return restCall(node, 'second_method', 'kazoo');
}

function restCall(node: string, method: string, bar: string): Request {
  return {
    method: 'POST',
    path: `/v1/nodes/${node}/vendor_passthru?method=${method}`,
    headers: { ...IRONIC_VERSION, 'Content-Type': 'application/json' },
    body: Buffer.from(JSON.stringify({ bar })),
  };
}

function rpc(name: Rpc, protocol: Exclude<Protocol, 'rest'>, binary: Uint8Array, json: string): Request {
  const path = `/${PassthruService.typeName}/${name}`;
  const request = { method: 'POST' as const, path, headers: RPC_HEADERS[protocol] };
  if (protocol === 'connect-json') return { ...request, body: Buffer.from(json) };
  if (protocol === 'connect-proto') return { ...request, body: Buffer.from(binary) };
  const envelope = Buffer.alloc(5);
  envelope.writeUInt32BE(binary.length, 1);
  return { ...request, body: Buffer.concat([envelope, binary]) };
}
