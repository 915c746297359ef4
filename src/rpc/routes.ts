import type { DescService } from '@bufbuild/protobuf';
import type { ConnectRouter, HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { Health } from '../../gen/grpc/health/v1/health_pb.ts';
import { ServerReflection } from '../../gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionAlpha } from '../../gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { DriverService } from '../../gen/passthru/v1/driver_pb.ts';
import { JobService } from '../../gen/passthru/v1/job_pb.ts';
import { NodeService } from '../../gen/passthru/v1/node_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import type { Access } from '../auth/access.ts';
import type { Core } from '../core/core.ts';
import type { Logger } from '../core/logger.ts';
import { rpcAction } from './actions.ts';
import { driverService } from './driverService.ts';
import { admit, createEnter } from './entry.ts';
import { toConnectError } from './errors.ts';
import { healthService } from './health.ts';
import { jobService } from './jobService.ts';
import { nodeService } from './nodeService.ts';
import { passthruService } from './passthruService.ts';
import { reflectionService } from './reflection.ts';

export interface RpcRoutesOptions {
  core: Core;
  access: Access;
  log: Logger;
  /** Ends every stream when it fires, with its reason. Default: none does. */
  endStreams?: AbortSignal;
}

/** What the paths of all services here begin with. */
export const RPC_PATH_PREFIXES = ['/passthru.v1.', '/grpc.'] as const;

const REQUEST_STREAMS: readonly string[] = [ServerReflection, ServerReflectionAlpha].map(
  ({ typeName }) => `/${typeName}/ServerReflectionInfo`,
);

/** Whether the requests at `path` are a stream, which ends when the client likes. */
export function isRequestStream(path: string | undefined): boolean {
  return path !== undefined && REQUEST_STREAMS.includes(path);
}

/**
 * The longest deadline of a stream in milliseconds, which is what a timer of Node can count: streams are exempt from
 * the maximum that calls have.
 */
const MAX_STREAM_TIMEOUT = 2 ** 31 - 1;

const SERVICES = [PassthruService, NodeService, DriverService, JobService];

/** The services of the contract, gRPC health and server reflection, for a ConnectRouter. */
export function rpcRoutes({ core, access, log, endStreams }: RpcRoutesOptions): (router: ConnectRouter) => void {
  const enter = createEnter(core, access);
  return (router) => {
    const serve = <S extends DescService>(service: S, implementation: ServiceImpl<S>) => {
      for (const method of service.methods) {
        const work = implementation[method.localName as keyof ServiceImpl<S>] as Work;
        const name = `${service.typeName}/${method.name}`;
        const isOpen = access.isOpen(rpcAction(name));
        if (method.methodKind === 'unary') {
          router.rpc(method, unary(work, isOpen, log, name) as never);
        } else {
          const options = { maxTimeoutMs: MAX_STREAM_TIMEOUT, shutdownSignal: endStreams };
          router.rpc(method, streaming(work, isOpen, log, name) as never, options);
        }
      }
    };
    serve(PassthruService, passthruService(enter));
    serve(NodeService, nodeService(enter));
    serve(DriverService, driverService(enter));
    serve(JobService, jobService(enter));
    const names = SERVICES.map((service) => service.typeName);
    serve(Health, healthService(core, names));
    const reflection = reflectionService(enter, [...SERVICES, Health, ServerReflection, ServerReflectionAlpha]);
    serve(ServerReflection, reflection);
    serve(ServerReflectionAlpha, reflection);
  };
}

/** An implementation of a method whatever its messages are; `serve` has checked their types. */
type Work = (request: unknown, context: HandlerContext) => unknown;

/** `work` for callers who are known, or for everybody when it `isOpen`, with its errors as statuses. */
function unary(work: Work, isOpen: boolean, log: Logger, name: string): Work {
  return async (request, context) => {
    try {
      await admit(context, isOpen);
      return await work(request, context);
    } catch (error) {
      throw toConnectError(error, log, name);
    }
  };
}

function streaming(work: Work, isOpen: boolean, log: Logger, name: string): Work {
  return async function* (request, context) {
    try {
      await admit(context, isOpen);
      yield* work(request, context) as AsyncIterable<unknown>;
    } catch (error) {
      throw toConnectError(error, log, name);
    }
  };
}
