import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  Code,
  ConnectError,
  createMethodImplSpec,
  type HandlerContext,
  type MethodImplSpec,
} from '@connectrpc/connect';
import {
  createAsyncIterable,
  type UniversalServerRequest,
  type UniversalServerResponse,
  validateUniversalHandlerOptions,
} from '@connectrpc/connect/protocol';
import { compressionGzip } from '@connectrpc/connect-node';
import { beforeEach, expect, test } from 'vitest';
import {
  CallNodeMethodRequestSchema,
  CallNodeMethodResponseSchema,
  PassthruService,
} from '../../gen/passthru/v1/passthru_pb.ts';
import { grpcUnaryHandler } from '../../src/rpc/grpcUnary.ts';

const MESSAGE = toBinary(CallNodeMethodRequestSchema, create(CallNodeMethodRequestSchema, { node: 'n1', method: 'm' }));
const PLAIN = enveloped(MESSAGE);

/** What Connect's handler received; null when it was not called. */
let handedOn: Buffer | null;
/** The error with which reading its body failed. */
let failure: unknown;
let contexts: HandlerContext[];
let result: (node: string) => string;
beforeEach(() => {
  handedOn = null;
  failure = null;
  contexts = [];
  result = (node) => `for ${node}`;
});

const spec = createMethodImplSpec(PassthruService.method.callNodeMethod, ({ node }, context) => {
  contexts.push(context);
  return { outcome: { case: 'result', value: { kind: { case: 'stringValue', value: result(node) } } } };
}) as MethodImplSpec & { kind: 'unary' };

function serve(
  body: AsyncIterable<Uint8Array>,
  headers: Record<string, string> = {},
): Promise<UniversalServerResponse> {
  const request: UniversalServerRequest = {
    httpVersion: '2.0',
    method: 'POST',
    url: 'http://127.0.0.1/passthru.v1.PassthruService/CallNodeMethod',
    header: new Headers({ 'Content-Type': 'application/grpc+proto', ...headers }),
    body,
    signal: new AbortController().signal,
  };
  const options = validateUniversalHandlerOptions({
    readMaxBytes: 1000,
    maxTimeoutMs: 60_000,
    acceptCompression: [compressionGzip],
    compressMinBytes: 100,
  });
  return grpcUnaryHandler(spec, options, async (given) => {
    const chunks: Uint8Array[] = [];
    try {
      for await (const chunk of given.body as AsyncIterable<Uint8Array>) chunks.push(chunk);
    } catch (error) {
      failure = error;
    }
    handedOn = Buffer.concat(chunks);
    return { status: 200 };
  })(request);
}

const chunks = (...all: Uint8Array[]) => createAsyncIterable(all);

function enveloped(message: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

async function bytesOf({ body }: UniversalServerResponse): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of body ?? []) all.push(chunk);
  return Buffer.concat(all);
}

function textOf(message: Uint8Array): unknown {
  return (fromBinary(CallNodeMethodResponseSchema, message).outcome.value as { kind: { value: unknown } }).kind.value;
}

test.each([
  ['whole', [PLAIN]],
  ['byte by byte', [...PLAIN].map((byte) => Uint8Array.of(byte))],
])('a message sent %s is served without Connect’s handler', async (_, parts) => {
  const response = await serve(chunks(...parts));
  expect(response.header?.get('Content-Type')).toBe('application/grpc+proto');
  expect(response.trailer?.get('Grpc-Status')).toBe('0');
  const bytes = await bytesOf(response);
  expect([bytes[0], bytes.readUInt32BE(1)]).toEqual([0, bytes.length - 5]);
  expect(textOf(bytes.subarray(5))).toBe('for n1');
  expect(handedOn).toBeNull();
});

test('a large response is compressed for a caller that accepts it', async () => {
  result = () => 'x'.repeat(5000);
  const response = await serve(chunks(PLAIN), { 'Grpc-Accept-Encoding': 'gzip' });
  const bytes = await bytesOf(response);
  expect(response.header?.get('Grpc-Encoding')).toBe('gzip');
  expect([bytes[0], bytes.length < 200]).toEqual([1, true]);
  expect(textOf(await compressionGzip.decompress(bytes.subarray(5), 1e6))).toBe(result(''));
});

test('an error of the method is the status, with no message before it', async () => {
  result = () => {
    throw new ConnectError('no such node', Code.NotFound, { 'x-more': 'yes' });
  };
  const response = await serve(chunks(PLAIN));
  expect(response.body).toBeUndefined();
  expect(Object.fromEntries(response.trailer ?? [])).toMatchObject({
    'grpc-status': '5',
    'grpc-message': 'no%20such%20node',
    'x-more': 'yes',
  });
});

test('a call gets its deadline, and its signal fires once it has ended', async () => {
  let remaining: number | undefined;
  result = () => {
    remaining = contexts[0]?.timeoutMs();
    expect(contexts[0]?.signal.aborted).toBe(false);
    return '';
  };
  await serve(chunks(PLAIN), { 'Grpc-Timeout': '30S' });
  expect(remaining).toBeGreaterThan(0);
  expect(remaining).toBeLessThanOrEqual(30_000);
  expect(contexts[0]?.signal.aborted).toBe(true);
});

test.each<[string, Uint8Array[], Record<string, string>?]>([
  ['JSON', [PLAIN], { 'Content-Type': 'application/grpc+json' }],
  ['gRPC-Web', [PLAIN], { 'Content-Type': 'application/grpc-web+proto' }],
  ['a request in a compression', [PLAIN], { 'Grpc-Encoding': 'gzip' }],
  ['an unknown compression', [PLAIN], { 'Grpc-Encoding': 'zip' }],
  ['a deadline over the maximum', [PLAIN], { 'Grpc-Timeout': '2M' }],
  ['a malformed deadline', [PLAIN], { 'Grpc-Timeout': 'soon' }],
  ['a message that says it is compressed', [enveloped(MESSAGE, 1)]],
  ['two messages', [PLAIN, PLAIN]],
  ['no message', []],
  ['a message that is cut off', [PLAIN.subarray(0, -1)]],
  ['a head that is cut off', [PLAIN.subarray(0, 3)]],
  ['a malformed message', [enveloped(Uint8Array.of(255, 255, 255))]],
  ['a message that is too large, of which more comes', [enveloped(new Uint8Array(2000)), new Uint8Array(2000)]],
])('Connect’s handler gets the whole request: %s', async (_, parts, headers) => {
  await serve(chunks(...parts), headers);
  expect(handedOn).toEqual(Buffer.concat(parts));
  expect(contexts).toEqual([]);
});

test('Connect’s handler gets the reason why a request broke off', async () => {
  const reason = new ConnectError('not let in', Code.Unauthenticated);
  await serve(
    (async function* () {
      yield PLAIN;
      throw reason;
    })(),
  );
  expect(failure).toBe(reason);
  expect(contexts).toEqual([]);
});
