import { connect } from 'node:http2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

function enveloped(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Sends `body` over HTTP/2; returns the status, and that of gRPC from header, trailer or body. */
async function post(path: string, type: string, body: Buffer) {
  const session = connect(service.url);
  try {
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': type, te: 'trailers' });
    const seen: Record<string, unknown> = {};
    stream.on('response', (headers) => Object.assign(seen, headers));
    stream.on('trailers', (headers) => Object.assign(seen, headers));
    stream.end(body);
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    const content = Buffer.concat(chunks).toString();
    const [, inBody] = /grpc-status: ?(\d+)/i.exec(content) ?? [];
    const grpcStatus = seen['grpc-status'] ?? inBody;
    return { status: seen[':status'], grpcStatus: grpcStatus === undefined ? null : Number(grpcStatus), content };
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
