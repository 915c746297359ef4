import { connect } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { envelopesOf } from '../../src/rpc/receivedMessage.ts';
import { startTestService, type TestService } from './service.ts';

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
  await service.createNode('n1');
});
afterAll(() => service[Symbol.asyncDispose]());

/** A Struct of `levels` in binary: protobuf-es itself would refuse to write a deep one. */
function nested(levels: number): Buffer {
  // Value.struct_value (5), Struct.fields (1), the map's key (1) and value (2).
  let value: Buffer = Buffer.from([0x08, 0x00]);
  for (let level = 0; level < levels; level++) {
    const entry = Buffer.concat([Buffer.from([0x0a, 1, 0x61]), field(2, value)]);
    value = field(5, field(1, entry));
  }
  const entry = Buffer.concat([Buffer.from([0x0a, 1, 0x61]), field(2, value)]);
  return Buffer.concat([text(1, 'n1'), text(2, 'echo'), field(3, field(1, entry))]);
}

function field(number: number, content: Buffer): Buffer {
  const size: number[] = [];
  for (let left = content.length; ; left >>>= 7) {
    if (left < 128) {
      size.push(left);
      break;
    }
    size.push((left & 127) | 128);
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...size]), content]);
}

const text = (number: number, content: string) => field(number, Buffer.from(content));

const MALFORMED: [what: string, message: Buffer][] = [
  ['60 levels', nested(60)],
  ['5,000 levels', nested(5000)],
  ['a text that is not UTF-8', field(1, Buffer.from([0xff, 0xfe]))],
  ['half of a surrogate pair', field(1, Buffer.from([0xed, 0xa0, 0x80]))],
  ['a field that ends early', Buffer.from([0x0a, 0x7f, 0x61])],
  ['a tag that ends early', Buffer.from([0x80])],
  ['a wire type that does not exist', Buffer.from([0x0f])],
];

function enveloped(message: Buffer, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Sends `body` over HTTP/2; returns the status, and that of gRPC from header, trailer or body. */
async function post(path: string, type: string, body: Buffer, fields: Record<string, string> = {}) {
  const session = connect(service.url);
  try {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': type,
      te: 'trailers',
      ...fields,
    });
    const seen: Record<string, unknown> = {};
    stream.on('response', (headers) => Object.assign(seen, headers));
    stream.on('trailers', (headers) => Object.assign(seen, headers));
    stream.end(body);
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    const content = Buffer.concat(chunks).toString();
    const [, inBody] = /grpc-status: ?(\d+)/i.exec(content) ?? [];
    const [, connectCode] = /"code": ?"(\w+)"/.exec(content) ?? [];
    const grpcStatus = seen['grpc-status'] ?? inBody;
    return {
      status: seen[':status'],
      grpcStatus: grpcStatus === undefined ? null : Number(grpcStatus),
      connectCode: connectCode ?? null,
      message: decodeURIComponent(String(seen['grpc-message'] ?? '')),
      content,
    };
  } finally {
    session.close();
  }
}

const CALL = '/passthru.v1.PassthruService/CallNodeMethod';
const WATCH = '/passthru.v1.PassthruService/WatchJob';

describe.each(MALFORMED)('a message with %s is INVALID_ARGUMENT', (what, message) => {
  test('over Connect', async () => {
    const { status, content } = await post(CALL, 'application/proto', message);
    expect([status, JSON.parse(content).code]).toEqual([400, 'invalid_argument']);
    expect(JSON.parse(content).message).toMatch(/^The request must be a valid message/);
  });

  test.each(['application/grpc', 'application/grpc+proto', 'application/grpc-web+proto', 'application/grpc-web'])(
    'over %s',
    async (type) => {
      expect(await post(CALL, type, enveloped(message))).toMatchObject({ status: 200, grpcStatus: 3 });
    },
  );

  test('where the response is a stream', async () => {
    // WatchJobRequest has its text in field 1 too, and nothing that nests.
    if (what.endsWith('levels')) return;
    expect(await post(WATCH, 'application/grpc', enveloped(message))).toMatchObject({ grpcStatus: 3 });
    const { content } = await post(WATCH, 'application/connect+proto', enveloped(message));
    expect(content).toMatch(/"code":"invalid_argument"/);
  });
});

test('a valid message is served over each, and an empty one counts as one', async () => {
  const message = text(1, 'n1');
  const methods = '/passthru.v1.PassthruService/ListNodeMethods';
  expect(await post(methods, 'application/proto', message)).toMatchObject({ status: 200 });
  for (const type of ['application/grpc', 'application/grpc-web+proto']) {
    expect(await post(methods, type, enveloped(message))).toMatchObject({ grpcStatus: 0 });
  }
  const list = '/passthru.v1.NodeService/ListNodes';
  expect(await post(list, 'application/proto', Buffer.alloc(0))).toMatchObject({ status: 200 });
  expect(await post(list, 'application/grpc', enveloped(Buffer.alloc(0)))).toMatchObject({ grpcStatus: 0 });
});

/** The kinds of requests with their field for the compression, and what a kind reports as INVALID_ARGUMENT. */
const KINDS: [type: string, path: string, encoding: string, refusal: object][] = [
  ['application/proto', CALL, 'content-encoding', { status: 400, connectCode: 'invalid_argument' }],
  ['application/json', CALL, 'content-encoding', { status: 400, connectCode: 'invalid_argument' }],
  ['application/connect+proto', WATCH, 'connect-content-encoding', { connectCode: 'invalid_argument' }],
  ['application/connect+json', WATCH, 'connect-content-encoding', { connectCode: 'invalid_argument' }],
  ['application/grpc', CALL, 'grpc-encoding', { grpcStatus: 3 }],
  ['application/grpc+json', CALL, 'grpc-encoding', { grpcStatus: 3 }],
  ['application/grpc-web+proto', CALL, 'grpc-encoding', { grpcStatus: 3 }],
  ['application/grpc-web+json', CALL, 'grpc-encoding', { grpcStatus: 3 }],
];

describe.each(KINDS)('%s', (type, path, encoding, refusal) => {
  const isJson = type.endsWith('json');
  const isAlone = encoding === 'content-encoding';
  const valid = isJson ? Buffer.from('{}') : Buffer.alloc(0);
  const malformed = isJson ? Buffer.from('{"a') : Buffer.from([0x0a, 0x7f, 0x61]);
  const sendCompressed = (content: Buffer) =>
    post(path, type, isAlone ? content : enveloped(content, 1), { [encoding]: 'gzip' });

  test.each([
    ['is not gzip at all', Buffer.from('plain text')],
    ['is cut off', gzipSync(Buffer.alloc(5000, 'a')).subarray(0, 20)],
    ['has a wrong checksum', Buffer.concat([gzipSync(valid).subarray(0, -8), Buffer.alloc(8, 1)])],
    ['hides a malformed message', gzipSync(malformed)],
  ])('a compressed message that %s is INVALID_ARGUMENT', async (_what, content) => {
    expect(await sendCompressed(content)).toMatchObject(refusal);
  });

  test('a compressed message that expands over the maximum is RESOURCE_EXHAUSTED', async () => {
    const { grpcStatus, connectCode } = await sendCompressed(gzipSync(Buffer.alloc(20_000_000)));
    expect(grpcStatus ?? connectCode).toBe(grpcStatus === null ? 'resource_exhausted' : 8);
  });

  test('a compressed valid message is served', async () => {
    // Refused for what it asks for, which is nothing, by the method itself.
    const { content } = await sendCompressed(gzipSync(valid));
    expect(content).not.toMatch(/The request must|The%20request%20must/);
  });

  if (!isAlone) {
    test.each([
      ['one that ends early', Buffer.concat([enveloped(malformed), Buffer.from([0])])],
      ['a valid one before it', Buffer.concat([enveloped(valid), enveloped(malformed)])],
    ])('a malformed message with %s is INVALID_ARGUMENT', async (_what, body) => {
      expect(await post(path, type, body)).toMatchObject(refusal);
    });

    test('a length over the maximum is RESOURCE_EXHAUSTED', async () => {
      const { grpcStatus, connectCode } = await post(path, type, Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 0]));
      expect(grpcStatus ?? connectCode).toBe(grpcStatus === null ? 'resource_exhausted' : 8);
    });

    test('an envelope that ends early is INVALID_ARGUMENT', async () => {
      expect(await post(path, type, Buffer.from([0, 0, 0]))).toMatchObject(refusal);
      expect(await post(path, type, Buffer.from([0, 0, 0, 0, 9, 1]))).toMatchObject(refusal);
    });
  }

  if (isJson) {
    test.each([
      ['that is not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
      ['with NaN', Buffer.from('{"arguments": {"a": NaN}}')],
      ['of 100,000 levels', Buffer.from(`${'{"a":'.repeat(100_000)}1e400${'}'.repeat(100_000)}`)],
    ])('JSON %s is INVALID_ARGUMENT', async (_what, content) => {
      expect(await post(path, type, isAlone ? content : enveloped(content))).toMatchObject(refusal);
    });

    test.each(['1e400', '12345678901234567890', '-0'])('the number %s is refused with its field', async (number) => {
      const content = Buffer.from(`{"node": "n1", "arguments": {"a": [${number}]}}`);
      const response = await post(path, type, isAlone ? content : enveloped(content));
      expect(response).toMatchObject(refusal);
      expect(response.content + response.message).toMatch(/arguments\.a\.0( |%20)must( |%20)be( |%20)a( |%20)number/);
    });
  }
});

test('grpc-web-text, which is not served, is refused whether its Base64 is valid or not', async () => {
  for (const body of [enveloped(text(1, 'n1')).toString('base64'), '!!! not base64 ***']) {
    expect(await post(CALL, 'application/grpc-web-text', Buffer.from(body))).toMatchObject({ status: 415 });
  }
});

test('a binary -0, which JSON cannot keep, is refused with its field', async () => {
  const value = Buffer.alloc(9);
  value[0] = 0x11;
  value.writeDoubleLE(-0, 1);
  const entry = Buffer.concat([text(1, 'a'), field(2, value)]);
  const message = Buffer.concat([text(1, 'n1'), text(2, 'echo'), field(3, field(1, entry))]);
  const { connectCode, content } = await post(CALL, 'application/proto', message);
  expect([connectCode, JSON.parse(content).message]).toEqual([
    'invalid_argument',
    'arguments must not hold NaN, infinite numbers or -0',
  ]);
});

test('of a request with very many messages only those that Connect reads are looked at', () => {
  const many = Buffer.concat(Array.from({ length: 1000 }, () => enveloped(text(1, 'n1'), 1)));
  expect(envelopesOf(many, 2)).toEqual(
    Array.from({ length: 2 }, () => ({ isCompressed: true, content: text(1, 'n1') })),
  );
});

test('metadata of 12 KiB is taken; of 20 KiB it has the call refused, and other calls of the connection are served', async () => {
  const session = connect(service.url);
  const list = async (metadata: Record<string, string>) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/passthru.v1.PassthruService/ListNodeMethods',
      'content-type': 'application/grpc',
      ...metadata,
    });
    let status: unknown = null;
    stream.on('trailers', (trailers) => {
      status = trailers['grpc-status'];
    });
    stream.on('error', () => {}).resume();
    stream.end(enveloped(text(1, 'n1')));
    await new Promise((resolve) => stream.once('close', resolve));
    return status;
  };
  expect(await list({ 'x-data-bin': 'A'.repeat(12 * 1024) })).toBe('0');
  expect(await list({ 'x-data-bin': 'A'.repeat(20 * 1024) })).toBeNull();
  expect(await list({})).toBe('0');
  session.close();
});
