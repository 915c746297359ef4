import { setTimeout as sleep } from 'node:timers/promises';
import {
  create,
  createRegistry,
  type DescMessage,
  type DescService,
  type FileRegistry,
  type Message,
} from '@bufbuild/protobuf';
import { type Any, anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect';
import type { RpcServices } from '../../src/rpc/routes.ts';

const PACKAGE = 'connectrpc.conformance.v1';

/** A header as messages of the suite specify it. The descriptors come with the suite, so no code is generated for them. */
interface ProtoHeader {
  name: string;
  value: string[];
}

interface ProtoError {
  code: Code;
  message?: string;
  details: Any[];
}

/** `UnaryResponseDefinition` */
interface UnaryDefinition {
  responseHeaders: ProtoHeader[];
  responseTrailers: ProtoHeader[];
  response:
    | { case: 'responseData'; value: Uint8Array }
    | { case: 'error'; value: ProtoError }
    | { case: undefined; value?: undefined };
  responseDelayMs: number;
}

/** `StreamResponseDefinition` */
interface StreamDefinition {
  responseHeaders: ProtoHeader[];
  responseTrailers: ProtoHeader[];
  responseData: Uint8Array[];
  responseDelayMs: number;
  error?: ProtoError;
}

type RequestOf<D> = Message & { responseDefinition?: D; fullDuplex?: boolean };

/**
 * Returns the suite's own service, which responds as each request specifies.
 * @param descriptors of the suite's .proto files
 */
export function conformanceServices(descriptors: FileRegistry): RpcServices {
  const service = descriptors.getService(`${PACKAGE}.ConformanceService`) as DescService;
  const Payload = descriptors.getMessage(`${PACKAGE}.ConformancePayload`) as DescMessage;
  const RequestInfo = descriptors.getMessage(`${PACKAGE}.ConformancePayload.RequestInfo`) as DescMessage;
  const details = createRegistry(RequestInfo);

  function requestInfo(context: HandlerContext, requests: Message[]): Message {
    const timeoutMs = context.timeoutMs();
    return create(RequestInfo, {
      requestHeaders: [...context.requestHeader].map(([name, value]) => ({ name, value: [value] })),
      requests: requests.map((request) => anyPack(descriptors.getMessage(request.$typeName) as DescMessage, request)),
      timeoutMs: timeoutMs === undefined ? undefined : BigInt(Math.trunc(timeoutMs)),
    } as Record<string, unknown>);
  }

  /** A response, with the request as the server saw it if `info` is given. */
  function payload(info: Message | undefined, data?: Uint8Array) {
    return { payload: create(Payload, { requestInfo: info, data } as Record<string, unknown>) };
  }

  function fail({ code, message = '', details: packed }: ProtoError, info?: Message): never {
    const outgoing = packed.map((any) => anyUnpack(any, details)).concat(info ?? []);
    throw new ConnectError(
      message,
      code,
      undefined,
      outgoing.map((value) => ({ desc: RequestInfo, value: value as unknown as Record<string, unknown> })),
    );
  }

  async function respondOnce(definition: UnaryDefinition | undefined, requests: Message[], context: HandlerContext) {
    setHeaders(context, definition);
    const info = requestInfo(context, requests);
    if (definition === undefined) return payload(info);
    const { response, responseDelayMs } = definition;
    if (response.case === 'error') fail(response.value, info);
    await sleep(responseDelayMs);
    return payload(info, response.value);
  }

  const unary = (request: RequestOf<UnaryDefinition>, context: HandlerContext) =>
    respondOnce(request.responseDefinition, [request], context);

  async function clientStream(requests: AsyncIterable<RequestOf<UnaryDefinition>>, context: HandlerContext) {
    const seen: RequestOf<UnaryDefinition>[] = [];
    for await (const request of requests) seen.push(request);
    return respondOnce(seen[0]?.responseDefinition, seen, context);
  }

  async function* serverStream(request: RequestOf<StreamDefinition>, context: HandlerContext) {
    const definition = request.responseDefinition;
    setHeaders(context, definition);
    yield* respondRest(definition, 0, [request], context);
  }

  async function* bidiStream(requests: AsyncIterable<RequestOf<StreamDefinition>>, context: HandlerContext) {
    let definition: StreamDefinition | undefined;
    let unseen: Message[] = [];
    let sent = 0;
    let first: RequestOf<StreamDefinition> | undefined;
    for await (const request of requests) {
      if (first === undefined) {
        first = request;
        definition = first.responseDefinition;
        setHeaders(context, definition);
      }
      unseen.push(request);
      if (!first.fullDuplex) continue;
      // While there are responses, one for each request as it arrives.
      if (definition === undefined || sent >= definition.responseData.length) break;
      await sleep(definition.responseDelayMs);
      yield payload(requestInfo(context, unseen), definition.responseData[sent]);
      sent += 1;
      unseen = [];
    }
    yield* respondRest(definition, sent, unseen, context);
  }

  /** Yields the responses from `first` on, the very first with the requests as the server saw them; then throws the error. */
  async function* respondRest(
    definition: StreamDefinition | undefined,
    first: number,
    requests: Message[],
    context: HandlerContext,
  ) {
    if (definition === undefined) return;
    const { responseData, responseDelayMs, error } = definition;
    const info = requestInfo(context, requests);
    for (const [index, data] of responseData.slice(first).entries()) {
      await sleep(responseDelayMs);
      yield payload(first + index === 0 ? info : undefined, data);
    }
    if (error !== undefined) fail(error, responseData.length === 0 ? info : undefined);
  }

  function unimplemented(): never {
    throw new ConnectError('not implemented', Code.Unimplemented);
  }

  return {
    pathPrefixes: [`/${PACKAGE}.`],
    registry: descriptors,
    add: (serve) =>
      serve(service, { unary, idempotentUnary: unary, clientStream, serverStream, bidiStream, unimplemented } as never),
  };
}

function setHeaders(context: HandlerContext, definition: UnaryDefinition | StreamDefinition | undefined): void {
  for (const { name, value } of definition?.responseHeaders ?? []) {
    for (const one of value) context.responseHeader.append(name, one);
  }
  for (const { name, value } of definition?.responseTrailers ?? []) {
    for (const one of value) context.responseTrailer.append(name, one);
  }
}
