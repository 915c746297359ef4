import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import type { ServiceImpl } from '@connectrpc/connect';
import {
  type CallDriverMethodRequest,
  type CallNodeMethodRequest,
  type CallNodeMethodResponseSchema,
  type ListDriverMethodsResponse,
  ListDriverMethodsResponseSchema,
  type ListNodeMethodsResponse,
  ListNodeMethodsResponseSchema,
  type PassthruService,
  Recording as RecordingMessage,
  type VendorMethodSchema,
} from '../../gen/passthru/v1/passthru_pb.ts';
import { jobToMessage } from '../contract/job.ts';
import { jsonToStruct, jsonToValue } from '../contract/value.ts';
import { requiredRole } from '../core/calls/callRules.ts';
import type { Outcome } from '../core/core.ts';
import type { Method } from '../core/method.ts';
import { checkNodeIdent } from '../core/node.ts';
import type { Recording } from '../core/transcript.ts';
import type { Enter } from './authorize.ts';
import { callEnd } from './deadline.ts';
import { encodeOnce } from './encodedOnce.ts';
import { durationMs, invalidField, readStruct, textOrNull } from './fields.ts';

/** Implements PassthruService: lists and calls vendor methods, and watches jobs. */
export function passthruService(enter: Enter): ServiceImpl<typeof PassthruService> {
  return {
    async listNodeMethods(request, context) {
      checkNodeIdent(request.node);
      const { core } = enter(context);
      return listMethods(ListNodeMethodsResponseSchema, nodeMethods, await core.listNodeMethods(request.node));
    },
    async callNodeMethod(request, context) {
      const call = readCall(request);
      const lockWait = durationMs('lock_wait', request.lockWait);
      checkNodeIdent(request.node);
      const { core, caller } = enter(context);
      using end = callEnd(context);
      const outcome = await core.callNodeMethod({
        ...call,
        node: request.node,
        lockWait,
        reservationKey: textOrNull(request.reservationKey),
        caller,
        signal: end.signal,
        deadline: end.deadline,
      });
      return responseOf(outcome);
    },
    async listDriverMethods(request, context) {
      const { core } = enter(context);
      return listMethods(ListDriverMethodsResponseSchema, driverMethods, core.listDriverMethods(request.driver));
    },
    async callDriverMethod(request, context) {
      const call = readCall(request);
      const { core, caller } = enter(context);
      using end = callEnd(context);
      const outcome = await core.callDriverMethod({
        ...call,
        driver: request.driver,
        caller,
        signal: end.signal,
        deadline: end.deadline,
      });
      return responseOf(outcome);
    },
    async *watchJob(request, context) {
      const after = request.afterRevision === undefined ? null : Number(request.afterRevision);
      if (after !== null && after < 0) throw invalidField('after_revision', 'must not be negative');
      const { core, caller } = enter(context);
      using end = callEnd(context);
      for await (const job of core.jobs.watch(request.jobId, after, caller, end.signal)) {
        yield { job: jobToMessage(job) };
      }
    },
  };
}

/** Reads the fields shared by calls of nodes and drivers. The core checks the depth of the arguments. */
function readCall({
  method,
  arguments: args,
  httpMethod,
  idempotencyKey,
  recording,
}: CallNodeMethodRequest | CallDriverMethodRequest) {
  return {
    method,
    arguments: readStruct('arguments', args),
    httpMethod: textOrNull(httpMethod),
    idempotencyKey: textOrNull(idempotencyKey),
    recording: readRecording(recording),
  };
}

const RECORDINGS: { readonly [recording in RecordingMessage]: Recording | undefined } = {
  [RecordingMessage.UNSPECIFIED]: undefined,
  [RecordingMessage.OFF]: 'off',
  [RecordingMessage.FAILURES]: 'failures',
  [RecordingMessage.ALL]: 'all',
};

/** Throws for a number that the enum does not have. */
function readRecording(recording: RecordingMessage): Recording | undefined {
  if (!Object.hasOwn(RECORDINGS, recording)) throw invalidField('recording', `must be a Recording, not ${recording}`);
  return RECORDINGS[recording];
}

function responseOf(outcome: Outcome): { outcome: OutcomeMessage; transcriptId?: string } {
  const message = outcomeToMessage(outcome);
  if (outcome.kind === 'job' || outcome.transcriptId === undefined) return { outcome: message };
  return { outcome: message, transcriptId: outcome.transcriptId };
}

type OutcomeMessage = MessageInitShape<typeof CallNodeMethodResponseSchema>['outcome'];

function outcomeToMessage(outcome: Outcome): OutcomeMessage {
  switch (outcome.kind) {
    case 'result':
      return { case: 'result', value: jsonToValue(outcome.result) };
    case 'attachment': {
      const { data, mediaType, fileName } = outcome.attachment;
      return { case: 'attachment', value: { data, mediaType, fileName: fileName ?? '' } };
    }
    case 'job':
      return { case: 'job', value: jobToMessage(outcome.job) };
  }
}

/** The lists of methods of a node or a driver, by the list. The core keeps a list as long as its hardware type. */
const nodeMethods = new WeakMap<readonly Method<never>[], ListNodeMethodsResponse>();
const driverMethods = new WeakMap<readonly Method<never>[], ListDriverMethodsResponse>();

/** Returns the response with these methods, from `kept` if it was sent before. */
function listMethods<S extends typeof ListNodeMethodsResponseSchema | typeof ListDriverMethodsResponseSchema>(
  schema: S,
  kept: WeakMap<readonly Method<never>[], MessageShape<S>>,
  methods: readonly Method<never>[],
): MessageShape<S> {
  let response = kept.get(methods);
  if (response === undefined) {
    response = create<DescMessage>(schema, { methods: methods.map(methodToMessage) }) as MessageShape<S>;
    kept.set(methods, encodeOnce(response));
  }
  return response;
}

function methodToMessage(method: Method<never>): MessageInitShape<typeof VendorMethodSchema> {
  return {
    name: method.name,
    httpMethods: [...method.httpMethods],
    async: method.async,
    attach: method.attach,
    description: method.description,
    requireExclusiveLock: method.requireExclusiveLock,
    role: requiredRole(method),
    argumentsSchema: jsonToStruct(method.argumentsSchema),
    resultSchema: jsonToStruct(method.resultSchema),
  };
}
