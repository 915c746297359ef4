import {
  create,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import fc from 'fast-check';
import { Health } from '../../gen/grpc/health/v1/health_pb.ts';
import { ServerReflection } from '../../gen/grpc/reflection/v1/reflection_pb.ts';
import { DriverService } from '../../gen/passthru/v1/driver_pb.ts';
import { JobService } from '../../gen/passthru/v1/job_pb.ts';
import { NodeService } from '../../gen/passthru/v1/node_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { END_HEADERS, END_STREAM, frame, GET, HELLO, POST, rapidReset } from '../http/http2Frames.ts';
import type { HttpInput } from './restInputs.ts';
import { headerValue, ident, json, jsonObject, method, mutated, oddText } from './words.ts';

const SERVICES = [PassthruService, NodeService, DriverService, JobService, Health, ServerReflection];

const METHODS = SERVICES.flatMap((service) => service.methods);

function fieldJson(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.name === 'method') return method;
  if (field.fieldKind === 'message') {
    switch (field.message.typeName) {
      case 'google.protobuf.Struct':
        return jsonObject;
      case 'google.protobuf.Duration':
        return fc.constantFrom('0s', '0.01s', '-1s', '315576000000s', '1e9s');
      case 'google.protobuf.FieldMask':
        return fc.constantFrom('name', 'extra', 'driverInfo,name', '*', '', 'no.such', 'name,name');
    }
    return depth === 0 ? fc.constant({}) : messageJson(field.message, depth - 1);
  }
  if (field.fieldKind === 'scalar' && field.scalar === ScalarType.BOOL) return fc.boolean();
  if (field.fieldKind === 'scalar' && field.scalar !== ScalarType.STRING) {
    return fc.oneof(fc.integer(), fc.constantFrom(-1, 0, 1, '9223372036854775807', 1e30));
  }
  return fc.oneof(ident, fc.constantFrom('JOB_STATE_FAILED', 'POST'));
}

/** A message in proto3 JSON, in which most fields have the right type. */
function messageJson(message: DescMessage, depth = 2): fc.Arbitrary<Record<string, unknown>> {
  const fields = message.fields.map((field) => [
    field.jsonName,
    fc.oneof({ weight: 12, arbitrary: fieldJson(field, depth) }, { weight: 1, arbitrary: json }),
  ]);
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] });
}

const contentType = fc.constantFrom(
  ...['application/json', 'application/proto', 'application/connect+json', 'application/connect+proto'],
  ...['application/grpc-web', 'application/grpc-web+json', 'application/grpc-web-text', 'text/plain'],
);

const connectHeaders = fc.record(
  {
    'Content-Type': fc.oneof({ weight: 6, arbitrary: fc.constant('application/json') }, contentType, headerValue),
    'Connect-Protocol-Version': fc.oneof(fc.constant('1'), headerValue),
    'Connect-Timeout-Ms': fc.oneof(fc.constantFrom('1000', '0', '-1', '99999999999'), headerValue),
    'Content-Encoding': fc.constantFrom('gzip', 'identity', 'br', 'x'),
  },
  { requiredKeys: ['Content-Type'] },
);

/** A message in its envelope (gRPC over HTTP/2, Length-Prefixed-Message), with flags and length that may be wrong. */
function enveloped(message: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const flags = fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.nat(255));
  const surplus = fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.integer({ min: -5, max: 2 ** 31 }));
  return fc.tuple(message, flags, surplus).map(([bytes, flag, more]) => {
    const head = Buffer.alloc(5);
    head[0] = flag;
    head.writeUInt32BE(Math.max(0, Math.min(2 ** 32 - 1, bytes.length + more)), 1);
    return new Uint8Array(Buffer.concat([head, bytes]));
  });
}

const called = fc.constantFrom(...METHODS);

/** Calls over Connect and gRPC-Web, most of them with JSON. */
export const connectInput: fc.Arbitrary<HttpInput> = called.chain((called) => {
  const message = fc.oneof({ weight: 6, arbitrary: messageJson(called.input) }, json);
  const text = message.map((value) => new Uint8Array(Buffer.from(JSON.stringify(value))));
  const plain = fc.oneof({ weight: 4, arbitrary: text }, mutated(text), fc.uint8Array({ maxLength: 60 }));
  return fc
    .record({
      verb: fc.oneof({ weight: 20, arbitrary: fc.constant('POST') }, fc.constantFrom('GET', 'PUT', 'OPTIONS')),
      headers: connectHeaders,
      body: called.methodKind === 'unary' ? plain : enveloped(plain),
      query: fc.oneof({ weight: 9, arbitrary: fc.constant('') }, fc.string({ maxLength: 20 })),
    })
    .map(({ verb, headers, body, query }) => ({
      verb,
      path: `/${called.parent.typeName}/${called.name}${query === '' ? '' : `?${query}`}`.replaceAll(
        /[^\x21-\x7e]/g,
        '+',
      ),
      headers,
      body: verb === 'GET' ? null : body,
    }));
});

/** A call over gRPC, in binary. */
export interface GrpcInput {
  path: string;
  headers: Record<string, string>;
  body: Uint8Array;
}

function encode(message: DescMessage, value: unknown): Uint8Array {
  try {
    return toBinary(message, fromJson(message, value as JsonValue));
  } catch {
    return toBinary(message, create(message));
  }
}

const grpcHeaders = fc.record(
  {
    'content-type': fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom('application/grpc', 'application/grpc+proto') },
      fc.constantFrom('application/grpc+json', 'application/grpc+x', 'application/grpc-web+proto'),
    ),
    'grpc-timeout': fc.constantFrom('1S', '0n', '99999999H', '1', 'x', '-1S'),
    'grpc-encoding': fc.constantFrom('gzip', 'identity', 'x'),
    'grpc-accept-encoding': headerValue,
    te: fc.constant('trailers'),
  },
  { requiredKeys: ['content-type', 'te'] },
);

export const grpcInput: fc.Arbitrary<GrpcInput> = called.chain((called) => {
  const valid = messageJson(called.input).map((value) => encode(called.input, value));
  const message = fc.oneof(
    { weight: 3, arbitrary: valid },
    { weight: 3, arbitrary: mutated(valid) },
    fc.uint8Array({ maxLength: 60 }),
  );
  return fc.record({
    path: fc.oneof(
      { weight: 30, arbitrary: fc.constant(`/${called.parent.typeName}/${called.name}`) },
      oddText.map((text) => `/passthru.v1.${encodeURIComponent(text.toWellFormed())}`),
    ),
    headers: grpcHeaders,
    body: fc.oneof(
      { weight: 8, arbitrary: enveloped(message) },
      fc.tuple(enveloped(message), enveloped(message)).map((both) => new Uint8Array(Buffer.concat(both))),
      fc.uint8Array({ maxLength: 30 }),
    ),
  });
});

const anyFrame = fc
  .tuple(fc.nat(12), fc.nat(255), fc.constantFrom(0, 1, 2, 3, 5, 2 ** 31 - 1), fc.uint8Array({ maxLength: 40 }))
  .map(([type, flags, stream, payload]) => frame(type, flags, stream, payload));

const validFrames = fc.constantFrom(
  ...[frame(1, END_HEADERS | END_STREAM, 1, GET), frame(1, END_HEADERS, 3, POST), rapidReset(4)],
  ...[frame(0, 0, 3, Buffer.from('{}')), frame(0, END_STREAM, 3, Buffer.from('{')), frame(6, 0, 0, Buffer.alloc(8))],
);

/** The bytes of a connection in approximate HTTP/2. */
export const rawHttp2: fc.Arbitrary<Uint8Array> = fc
  .array(fc.oneof(anyFrame, validFrames), { minLength: 1, maxLength: 10 })
  .map((frames) => new Uint8Array(Buffer.concat([HELLO, ...frames])));
