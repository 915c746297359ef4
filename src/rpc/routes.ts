import type { DescService, Registry } from '@bufbuild/protobuf';
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
import { admit, createEnter, type Enter } from './authorize.ts';
import { driverService } from './driverService.ts';
import { toConnectError } from './errors.ts';
import { healthService } from './health.ts';
import { jobService } from './jobService.ts';
import { nodeService } from './nodeService.ts';
import { passthruService } from './passthruService.ts';
import { reflectionService } from './reflection.ts';

/** Adds one service to a router, for callers who are known and with its errors as statuses. */
export type Serve = <S extends DescService>(service: S, implementation: ServiceImpl<S>) => void;

/** What a listener serves over RPC. */
export interface RpcServices {
  /** What the paths of all of them begin with. */
  pathPrefixes: readonly string[];
  /** What is packed into a `google.protobuf.Any` of theirs; absent where they have none. */
  registry?: Registry;
  add(serve: Serve, core: Core, enter: Enter): void;
}

export interface RpcRoutesOptions {
  services: RpcServices;
  core: Core;
  access: Access;
  log: Logger;
  /** Ends every stream when it fires, with its reason. Default: none does. */
  endStreams?: AbortSignal;
}

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

const CONTRACT = [PassthruService, NodeService, DriverService, JobService];

/** The services of the contract, gRPC health and server reflection. */
export const SERVICES: RpcServices = {
  pathPrefixes: ['/passthru.v1.', '/grpc.'],
  add(serve, core, enter) {
    serve(PassthruService, passthruService(enter));
    serve(NodeService, nodeService(enter));
    serve(DriverService, driverService(enter));
    serve(JobService, jobService(enter));
    const names = CONTRACT.map((service) => service.typeName);
    serve(Health, healthService(core, names));
    const reflection = reflectionService(enter, [...CONTRACT, Health, ServerReflection, ServerReflectionAlpha]);
    serve(ServerReflection, reflection);
    serve(ServerReflectionAlpha, reflection);
  },
};

/** `services`, for a ConnectRouter. */
export function rpcRoutes(options: RpcRoutesOptions): (router: ConnectRouter) => void {
  const { services, core, access, log, endStreams } = options;
  return (router) => {
    services.add(
      (service, implementation) => {
        for (const method of service.methods) {
          const work = implementation[method.localName as keyof typeof implementation] as Work;
          const name = `${service.typeName}/${method.name}`;
          const isOpen = access.isOpen(rpcAction(name));
          const answersOnce = method.methodKind === 'unary' || method.methodKind === 'client_streaming';
          const guarded = (answersOnce ? unary : streaming)(work, isOpen, log, name) as never;
          if (method.methodKind === 'unary') router.rpc(method, guarded);
          else router.rpc(method, guarded, { maxTimeoutMs: MAX_STREAM_TIMEOUT, shutdownSignal: endStreams });
        }
      },
      core,
      createEnter(core, access),
    );
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
