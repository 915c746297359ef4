import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ServiceImpl } from '@connectrpc/connect';
import type {
  CallNodeMethodResponseSchema,
  PassthruService,
  VendorMethodSchema,
} from '../../gen/passthru/v1/passthru_pb.ts';
import { jobToMessage } from '../contract/job.ts';
import { isFiniteJson, jsonToStruct, jsonToValue } from '../contract/value.ts';
import type { Outcome } from '../core/core.ts';
import type { JsonObject } from '../core/json.ts';
import type { Method } from '../core/method.ts';
import { checkNodeIdent } from '../core/node.ts';
import type { Enter } from './authorize.ts';
import { callEnd, lockWaitMs } from './deadline.ts';
import { invalidField } from './errors.ts';

/** Implements PassthruService: lists and calls vendor methods, and watches jobs. */
export function passthruService(enter: Enter): ServiceImpl<typeof PassthruService> {
  return {
    async listNodeMethods(request, context) {
      checkNodeIdent(request.node);
      const { core } = enter(context);
      return { methods: describe(await core.listNodeMethods(request.node)) };
    },
    async callNodeMethod(request, context) {
      const args = readArguments(request.arguments);
      const lockWait = lockWaitMs(request.lockWait);
      checkNodeIdent(request.node);
      const { core, caller } = enter(context);
      using end = callEnd(context);
      const outcome = await core.callNodeMethod({
        node: request.node,
        method: request.method,
        arguments: args,
        httpMethod: request.httpMethod === '' ? null : request.httpMethod,
        idempotencyKey: request.idempotencyKey === '' ? null : request.idempotencyKey,
        lockWait,
        caller,
        signal: end.signal,
        deadline: end.deadline,
      });
      return { outcome: outcomeToMessage(outcome) };
    },
    async listDriverMethods(request, context) {
      const { core } = enter(context);
      return { methods: describe(core.listDriverMethods(request.driver)) };
    },
    async callDriverMethod(request, context) {
      const args = readArguments(request.arguments);
      const { core, caller } = enter(context);
      using end = callEnd(context);
      const outcome = await core.callDriverMethod({
        driver: request.driver,
        method: request.method,
        arguments: args,
        httpMethod: request.httpMethod === '' ? null : request.httpMethod,
        idempotencyKey: request.idempotencyKey === '' ? null : request.idempotencyKey,
        caller,
        signal: end.signal,
        deadline: end.deadline,
      });
      return { outcome: outcomeToMessage(outcome) };
    },
    async *watchJob(request, context) {
      const after = request.afterRevision === undefined ? null : Number(request.afterRevision);
      if (after !== null && after < 0) throw invalidField('after_revision', 'must not be negative');
      const { core } = enter(context);
      using end = callEnd(context);
      for await (const job of core.jobs.watch(request.jobId, after, end.signal)) {
        yield { job: jobToMessage(job) };
      }
    },
  };
}

/** Rejects NaN and infinities, which only binary messages can hold. The core checks the depth. */
function readArguments(given: JsonObject | undefined): JsonObject {
  if (given === undefined) return {};
  if (!isFiniteJson(given)) throw invalidField('arguments', 'must not hold NaN or infinite numbers');
  return given;
}

function outcomeToMessage(outcome: Outcome): MessageInitShape<typeof CallNodeMethodResponseSchema>['outcome'] {
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

type MethodMessage = MessageInitShape<typeof VendorMethodSchema>;

/** The described methods of each interface, by its array of methods, which is one object. */
const descriptions = new WeakMap<readonly Method<never>[], MethodMessage[]>();

function describe(methods: readonly Method<never>[]): MethodMessage[] {
  let described = descriptions.get(methods);
  if (described === undefined) {
    described = methods.map((method) => ({
      name: method.name,
      httpMethods: [...method.httpMethods],
      async: method.async,
      attach: method.attach,
      description: method.description,
      requireExclusiveLock: method.requireExclusiveLock,
      argumentsSchema: jsonToStruct(method.argumentsSchema),
      resultSchema: jsonToStruct(method.resultSchema),
    }));
    descriptions.set(methods, described);
  }
  return described;
}
