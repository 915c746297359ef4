import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
} from 'node:http2';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { gunzipSync, gzipSync } from 'node:zlib';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  Code,
  ConnectError,
  createMethodImplSpec,
  type HandlerContext,
  type MethodImplSpec,
} from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  CallNodeMethodRequestSchema,
  CallNodeMethodResponseSchema,
  PassthruService,
} from '../../gen/passthru/v1/passthru_pb.ts';
import { Access, OPEN_ACCESS } from '../../src/auth/access.ts';
import { ANONYMOUS, type Caller } from '../../src/core/caller.ts';
import { PassthruError, shuttingDown } from '../../src/core/errors.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { CallsInFlight } from '../../src/edge/callsInFlight.ts';
import { grpcUnaryHandler } from '../../src/rpc/grpcUnary.ts';
import { Stopping } from '../../src/rpc/unaryContext.ts';
import { CALL_LIMITS } from '../defaultLimits.ts';
import { END_HEADERS, FRAME, frame, HELLO, word } from '../http/http2Frames.ts';

const PATH = '/passthru.v1.PassthruService/CallNodeMethod';
const MESSAGE = toBinary(CallNodeMethodRequestSchema, create(CallNodeMethodRequestSchema, { node: 'n1', method: 'm' }));
const PLAIN = enveloped(MESSAGE);
const MAX_BYTES = 1000;

/** What Connect's handler was given; null when it was not asked. */
let handedOn: { body: Buffer; signal: AbortSignal } | null;
/** What Connect's handler waits for before it responds. */
let connectResponds: Promise<unknown>;
let contexts: HandlerContext[];
/** The implementation of the method. */
let result: (node: string, context: HandlerContext) => string | Promise<string>;
let access: Access;
let stop: AbortController;
let server: Http2Server;
let session: ClientHttp2Session;

beforeEach(async () => {
  handedOn = null;
  connectResponds = Promise.resolve();
  contexts = [];
  result = (node) => `for ${node}`;
  access = OPEN_ACCESS;
  stop = new AbortController();
  server = createServer();
  server.on('stream', (stream, headers, _flags, rawHeaders: string[]) => {
    const request = { stream, headers, rawHeaders, socket: stream.session!.socket };
    if (handler()(request)) return;
    stream.respond({ ':status': 299 });
    stream.resume().end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

afterEach(() => {
  session.destroy();
  server.close();
});

function handler() {
  const spec = createMethodImplSpec(PassthruService.method.callNodeMethod, async ({ node }, context) => {
    contexts.push(context);
    return {
      outcome: { case: 'result', value: { kind: { case: 'stringValue', value: await result(node, context) } } },
    };
  }) as MethodImplSpec & { kind: 'unary' };
  const method = {
    spec,
    name: PATH.slice(1),
    action: 'call a method' as const,
    isOpen: false,
    async handle({ body, signal }: { body: unknown; signal: AbortSignal }) {
      const chunks: Uint8Array[] = [];
      handedOn = { body: Buffer.alloc(0), signal };
      for await (const chunk of body as AsyncIterable<Uint8Array>) chunks.push(chunk);
      handedOn.body = Buffer.concat(chunks);
      await connectResponds;
      return {
        status: 200,
        header: new Headers({ 'X-From': 'Connect' }),
        trailer: new Headers({ 'Grpc-Status': '9' }),
      };
    },
  };
  return grpcUnaryHandler(new Map([[PATH, method]]), {
    access,
    calls: new CallsInFlight(CALL_LIMITS),
    log: silentLogger,
    stopping: new Stopping(stop.signal),
    readMaxBytes: MAX_BYTES,
    writeMaxBytes: 1_000_000,
    maxTimeoutMs: 60_000_000,
    compressMinBytes: 100,
  });
}

interface Response {
  headers: IncomingHttpHeaders;
  trailers: IncomingHttpHeaders;
  body: Buffer;
}

function open(headers: Record<string, string | string[]> = {}): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  return stream.on('error', () => {});
}

/** Sends `parts` one by one, each in frames of its own. */
async function call(parts: Uint8Array[], headers: Record<string, string | string[]> = {}): Promise<Response> {
  const stream = open(headers);
  const response = read(stream);
  for (const part of parts) await new Promise((resolve) => stream.write(part, resolve));
  stream.end();
  return response;
}

async function read(stream: ClientHttp2Stream): Promise<Response> {
  const response: Response = { headers: {}, trailers: {}, body: Buffer.alloc(0) };
  stream.on('response', (headers) => Object.assign(response.headers, headers));
  stream.on('trailers', (headers) => Object.assign(response.trailers, headers));
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  response.body = Buffer.concat(chunks);
  return response;
}

function enveloped(message: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Encodes a header, alternating names and values, without a table (RFC 7541, 6.2.2). */
function literals(header: readonly string[]): Buffer {
  const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  return Buffer.concat(
    header.map((value, index) => (index % 2 === 0 ? Buffer.concat([Buffer.from([0]), text(value)]) : text(value))),
  );
}

function textOf(message: Uint8Array): unknown {
  return (fromBinary(CallNodeMethodResponseSchema, message).outcome.value as { kind: { value: unknown } }).kind.value;
}

/** Access that authenticates after the request, or refuses then. */
function lateAccess(authenticate: () => Caller): Access {
  const later = () => new Promise((resolve) => setTimeout(resolve, 20)).then(authenticate);
  return new Access({ challenge: 'Basic realm="x"', authenticate: later, close: async () => {} });
}

const refuse = (): Caller => {
  throw new PassthruError('unauthenticated', 'who are you?');
};

describe('a message', () => {
  test.each([
    ['whole', [PLAIN]],
    ['byte by byte', [...PLAIN].map((byte) => Uint8Array.of(byte))],
    ['with its envelope apart', [PLAIN.subarray(0, 5), PLAIN.subarray(5)]],
  ])('sent %s is served without Connect’s handler', async (_, parts) => {
    const { headers, trailers, body } = await call(parts);
    expect(headers).toMatchObject({ ':status': 200, 'content-type': 'application/grpc+proto' });
    expect(headers['openstack-request-id']).toMatch(/^req-/);
    expect(headers.date).toBeDefined();
    expect(headers['grpc-encoding']).toBeUndefined();
    expect(trailers).toMatchObject({ 'grpc-status': '0' });
    expect([body[0], body.readUInt32BE(1)]).toEqual([0, body.length - 5]);
    expect(textOf(body.subarray(5))).toBe('for n1');
    expect(handedOn).toBeNull();
  });

  test('of no bytes is one with defaults', async () => {
    expect(textOf((await call([enveloped(new Uint8Array())])).body.subarray(5))).toBe('for ');
  });

  test('in gzip is served', async () => {
    const { body, headers } = await call([enveloped(gzipSync(MESSAGE), 1)], { 'grpc-encoding': 'gzip' });
    expect(textOf(body.subarray(5))).toBe('for n1');
    expect(headers['grpc-encoding']).toBe('gzip');
    expect(handedOn).toBeNull();
  });

  test('may be uncompressed although an encoding is named', async () => {
    expect(textOf((await call([PLAIN], { 'grpc-encoding': 'gzip' })).body.subarray(5))).toBe('for n1');
  });
});

describe('a response', () => {
  test.each([
    ['gzip', {}],
    ['identity, deflate,gzip', {}],
    ['', { 'grpc-encoding': 'gzip' }],
  ])('that is large is compressed for a caller that accepts "%s"', async (accepted, more) => {
    result = () => 'x'.repeat(5000);
    const { headers, body } = await call([PLAIN], { 'grpc-accept-encoding': accepted, ...more });
    expect(headers['grpc-encoding']).toBe('gzip');
    expect([body[0], body.length < 200]).toEqual([1, true]);
    expect(textOf(gunzipSync(body.subarray(5)))).toBe('x'.repeat(5000));
  });

  test.each(['identity', 'br, gzipped', 'xgzip'])(
    'is not compressed for a caller that accepts "%s"',
    async (accepted) => {
      result = () => 'x'.repeat(50_000);
      const { headers, body } = await call([PLAIN], { 'grpc-accept-encoding': accepted });
      expect(headers['grpc-encoding']).toBeUndefined();
      expect(body[0]).toBe(0);
      expect(textOf(body.subarray(5))).toBe('x'.repeat(50_000));
    },
  );

  test('has the metadata that the method sets, binary and repeated', async () => {
    result = (_, { responseHeader, responseTrailer }) => {
      responseHeader.append('x-list', 'a');
      responseHeader.append('x-list', 'b');
      responseTrailer.set('x-data-bin', 'AAE');
      return '';
    };
    const { headers, trailers } = await call([PLAIN]);
    expect(headers['x-list']).toBe('a, b');
    expect(trailers).toMatchObject({ 'grpc-status': '0', 'x-data-bin': 'AAE' });
  });

  test('of a failed method is its status, with no message before it', async () => {
    result = () => {
      throw new ConnectError('no such nöde', Code.NotFound, { 'x-more': 'yes' });
    };
    const { body, headers, trailers } = await call([PLAIN]);
    expect(body.length).toBe(0);
    expect(headers[':status']).toBe(200);
    expect(trailers).toMatchObject({ 'grpc-status': '5', 'grpc-message': 'no%20such%20n%C3%B6de', 'x-more': 'yes' });
  });

  test('over the maximum is RESOURCE_EXHAUSTED', async () => {
    result = () => 'x'.repeat(1_000_001);
    expect((await call([PLAIN])).trailers['grpc-status']).toBe('8');
  });

  test('whose status cannot be written is INTERNAL', async () => {
    result = () => {
      throw new ConnectError('half a pair: \ud800', Code.NotFound);
    };
    expect((await call([PLAIN])).headers).toMatchObject({ ':status': 200, 'grpc-status': '13' });
  });
});

describe('the context of a call', () => {
  test('has the metadata of the request, binary and repeated', async () => {
    await call([PLAIN], { 'x-data-bin': 'AAE', 'x-list': ['a', 'b'] });
    const { requestHeader, url, service, method } = contexts[0]!;
    expect([requestHeader.get('x-data-bin'), requestHeader.get('x-list')]).toEqual(['AAE', 'a, b']);
    expect([...requestHeader.keys()].filter((name) => name.startsWith(':'))).toEqual([]);
    expect(new URL(url).pathname).toBe(PATH);
    expect([service.typeName, method.name]).toEqual(['passthru.v1.PassthruService', 'CallNodeMethod']);
  });

  test.each([
    ['2H', 7_200_000],
    ['3M', 180_000],
    ['30S', 30_000],
    ['30000m', 30_000],
    ['30000000u', 30_000],
    ['99999999n', 100],
  ])('has the remaining time of a timeout of %s', async (timeout, ms) => {
    let remaining: number | undefined;
    result = (_, context) => {
      remaining = context.timeoutMs();
      return '';
    };
    await call([PLAIN], { 'grpc-timeout': timeout });
    expect(remaining).toBeLessThanOrEqual(ms);
    expect(remaining).toBeGreaterThan(ms - 20_000);
  });

  test('has no timeout when the caller sets none', async () => {
    await call([PLAIN]);
    expect(contexts[0]!.timeoutMs()).toBeUndefined();
  });

  const untilAborted = (_: string, { signal }: HandlerContext) =>
    new Promise<string>((_resolve, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason));
    });

  test.each(['50m', '1n', '0S'])('has a signal that fires at the deadline of %s', async (timeout) => {
    result = untilAborted;
    await call([PLAIN], { 'grpc-timeout': timeout });
    expect(contexts[0]!.signal.reason).toMatchObject({ kind: 'deadline_exceeded' });
  });

  test.each(['1n', '0S'])(
    'has a signal that has fired already at the beginning, after a deadline of %s',
    async (timeout) => {
      let aborted = false;
      result = async (_, { signal }) => {
        aborted = signal.aborted;
        return '';
      };
      await call([PLAIN], { 'grpc-timeout': timeout });
      expect(aborted).toBe(true);
    },
  );

  test('has a signal that fires when the caller resets the stream, also if asked for afterwards', async () => {
    const gone = Promise.withResolvers<PassthruError[]>();
    const begun = Promise.withResolvers<void>();
    result = async (name, context) => {
      begun.resolve();
      await untilAborted(name, context).catch((early) => {
        const late = new Promise<string>(() => context.signal);
        gone.resolve([early, context.signal.reason]);
        return late;
      });
      return '';
    };
    const stream = open();
    stream.end(PLAIN);
    await begun.promise;
    stream.close(8);
    expect(await gone.promise).toMatchObject([{ kind: 'cancelled' }, { kind: 'cancelled' }]);
  });

  test('has a signal that is aborted when it is first asked for after the caller has gone', async () => {
    const closed = new Promise((resolve) =>
      server.once('stream', (stream) => stream.once('close', () => setImmediate(resolve))),
    );
    const reason = Promise.withResolvers<unknown>();
    result = async (_, context) => {
      await closed;
      reason.resolve(context.signal.reason);
      return '';
    };
    const stream = open({ 'grpc-timeout': '1H' });
    stream.end(PLAIN);
    await expect.poll(() => contexts.length).toBe(1);
    stream.close(8);
    expect(await reason.promise).toMatchObject({ kind: 'cancelled' });
  });

  test('has a signal that fires when the service ends its calls', async () => {
    result = (name, context) => {
      setImmediate(() => stop.abort(shuttingDown()));
      return untilAborted(name, context);
    };
    await call([PLAIN]);
    expect(contexts[0]!.signal.reason).toBe(stop.signal.reason);
  });

  test('has a signal that does not fire when the call has ended', async () => {
    result = (_, { signal }) => String(signal.aborted);
    await call([PLAIN], { 'grpc-timeout': '30m' });
    stop.abort(shuttingDown());
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(contexts[0]!.signal.aborted).toBe(false);
  });
});

describe('Connect’s handler', () => {
  test.each<[string, Uint8Array[], Record<string, string>?]>([
    ['a message that says it is compressed, of no encoding', [enveloped(gzipSync(MESSAGE), 1)]],
    ['a compressed message that is not', [enveloped(MESSAGE, 1)], { 'grpc-encoding': 'gzip' }],
    [
      'a compressed message that expands too far',
      [enveloped(gzipSync(Buffer.alloc(5000)), 1)],
      { 'grpc-encoding': 'gzip' },
    ],
    ['an unknown flag', [enveloped(MESSAGE, 2)]],
    ['all flags', [enveloped(MESSAGE, 255)]],
    ['two messages', [PLAIN, PLAIN]],
    ['two messages in one frame', [Buffer.concat([PLAIN, PLAIN])]],
    ['bytes behind the message', [PLAIN, Buffer.from([0])]],
    ['no message', []],
    ['a message that is cut off', [PLAIN.subarray(0, -1)]],
    ['an envelope that is cut off', [PLAIN.subarray(0, 3)]],
    ['a length of 4 GiB', [Buffer.from([0, 255, 255, 255, 255, 1])]],
    ['a malformed message', [enveloped(Uint8Array.of(255, 255, 255))]],
    ['a message that is too large, in one frame', [enveloped(new Uint8Array(2000))]],
    ['a message that is too large, of which more comes', [enveloped(new Uint8Array(2000)), new Uint8Array(2000)]],
    ['a message that is too large, in frames that are not', Array.from({ length: 20 }, () => new Uint8Array(100))],
  ])('gets the whole request: %s', async (_, parts, headers) => {
    const response = await call(parts, headers);
    expect(handedOn?.body).toEqual(Buffer.concat(parts));
    expect(contexts).toEqual([]);
    expect(response.headers).toMatchObject({ ':status': 200, 'x-from': 'Connect' });
    expect(response.headers['openstack-request-id']).toMatch(/^req-/);
    expect(response.trailers['grpc-status']).toBe('9');
  });

  test('is told when the caller goes', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    connectResponds = promise;
    const stream = open();
    stream.end(Buffer.concat([PLAIN, PLAIN]));
    await expect.poll(() => handedOn?.body.length).toBe(2 * PLAIN.length);
    expect(handedOn?.signal.aborted).toBe(false);
    stream.close(8);
    await expect.poll(() => handedOn?.signal.aborted).toBe(true);
    resolve();
  });

  test.each<[string, Record<string, string>]>([
    ['JSON', { 'content-type': 'application/grpc+json' }],
    ['gRPC-Web', { 'content-type': 'application/grpc-web+proto' }],
    ['Connect', { 'content-type': 'application/proto' }],
    ['a media type with parameters', { 'content-type': 'application/grpc; charset=utf-8' }],
    ['an unknown compression', { 'grpc-encoding': 'zip' }],
    ['a deadline over the maximum', { 'grpc-timeout': '17H' }],
    ['a deadline of nine digits', { 'grpc-timeout': '123456789n' }],
    ['a deadline without a unit', { 'grpc-timeout': '5' }],
    ['a deadline in an unknown unit', { 'grpc-timeout': '5s' }],
    ['a malformed deadline', { 'grpc-timeout': 'soon' }],
    ['two deadlines', { 'grpc-timeout': '1S, 2S' }],
    ['another verb', { ':method': 'PUT' }],
    ['an unknown method', { ':path': '/passthru.v1.PassthruService/None' }],
    ['a query', { ':path': `${PATH}?a=b` }],
    ['a malformed host', { ':authority': 'a:b' }],
    ['an expectation', { expect: 'something' }],
  ])('is left the stream: %s', async (_, headers) => {
    expect((await call([PLAIN], headers)).headers[':status']).toBe(299);
    expect([handedOn, contexts]).toEqual([null, []]);
  });
});

describe('a caller who is authenticated late', () => {
  test('is served', async () => {
    access = lateAccess(() => ANONYMOUS);
    expect(textOf((await call([PLAIN])).body.subarray(5))).toBe('for n1');
  });

  test.each([{ endStream: true }, {}])('is served by Connect’s handler without a message: %j', async (options) => {
    access = lateAccess(() => ANONYMOUS);
    const headers = { ':method': 'POST', ':path': PATH, 'content-type': 'application/grpc', te: 'trailers' };
    // In the header's frame, or in one of its own before the caller is known.
    const { trailers } = await read(session.request(headers, options).end());
    expect(trailers['grpc-status']).toBe('9');
    expect(handedOn?.body).toEqual(Buffer.alloc(0));
  });

  test.each([
    ['no message', []],
    ['one message', [PLAIN]],
    ['two messages', [PLAIN, PLAIN]],
    ['a malformed message', [enveloped(Uint8Array.of(255, 255, 255))]],
  ])('and refused gets the refusal before its message is looked at: %s', async (_, parts) => {
    access = lateAccess(refuse);
    const { trailers } = await call(parts);
    expect(trailers).toMatchObject({ 'grpc-status': '16', 'www-authenticate': 'Basic realm="x"' });
    expect([handedOn, contexts]).toEqual([null, []]);
  });

  test('and refused is told before that of a message that is too large', async () => {
    access = lateAccess(refuse);
    const { trailers } = await call([enveloped(new Uint8Array(2000)), new Uint8Array(2000)]);
    expect(trailers['grpc-status']).toBe('8');
    expect([handedOn, contexts]).toEqual([null, []]);
  });
});

describe('a request that breaks off', () => {
  test.each([
    ['before its message', Buffer.alloc(0), 8],
    ['within its message', PLAIN.subarray(0, 9), 8],
    ['behind its message', PLAIN, 8],
    ['behind its message, without an error', PLAIN, 0],
  ])('%s calls nothing', async (_, part, code) => {
    const closed = new Promise((resolve) => server.once('stream', (stream) => stream.once('close', resolve)));
    // Frame by frame: Node's client would end the request before it resets the stream.
    const socket = connectTcp((server.address() as AddressInfo).port, '127.0.0.1');
    const header = [
      ':method',
      'POST',
      ':scheme',
      'http',
      ':path',
      PATH,
      ':authority',
      'a',
      'content-type',
      'application/grpc',
    ];
    socket.write(Buffer.concat([HELLO, frame(FRAME.headers, END_HEADERS, 1, literals(header))]));
    await once(server, 'stream');
    socket.write(Buffer.concat([frame(FRAME.data, 0, 1, part), frame(FRAME.reset, 0, 1, word(code))]));
    await closed;
    socket.destroy();
    // The connection serves others.
    expect(textOf((await call([PLAIN])).body.subarray(5))).toBe('for n1');
    expect(contexts.length).toBe(1);
    expect(handedOn).toBeNull();
  });
});
