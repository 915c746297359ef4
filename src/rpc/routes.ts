import type { DescService, Registry } from '@bufbuild/protobuf';
import type { ConnectRouter, HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { Health } from '../../gen/grpc/health/v1/health_pb.ts';
import { ServerReflection } from '../../gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionAlpha } from '../../gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { DriverService } from '../../gen/passthru/v1/driver_pb.ts';
import { EventService } from '../../gen/passthru/v1/event_pb.ts';
import { InfoService } from '../../gen/passthru/v1/info_pb.ts';
import { JobService } from '../../gen/passthru/v1/job_pb.ts';
import { NodeService } from '../../gen/passthru/v1/node_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import type { Access, Subject } from '../auth/access.ts';
import type { Action } from '../auth/actions.ts';
import type { Core } from '../core/core.ts';
import type { Logger } from '../core/logger.ts';
import { MAX_DELAY } from '../core/waiting.ts';
import { rpcAction } from './actions.ts';
import { admit, createEnter, type Enter } from './authorize.ts';
import { driverService } from './driverService.ts';
import { toConnectError } from './errors.ts';
import { eventService } from './eventService.ts';
import { eventSourceService } from './eventSourceService.ts';
import { healthService } from './health.ts';
import { infoService } from './infoService.ts';
import { jobService } from './jobService.ts';
import { nodeService } from './nodeService.ts';
import { passthruService } from './passthruService.ts';
import { reflectionService } from './reflection.ts';

/** Adds one service to a router, for authenticated callers and with its errors as statuses. */
type Serve = <S extends DescService>(service: S, implementation: Partial<ServiceImpl<S>>) => void;

/** A set of services. */
export interface RpcServices {
  /** The prefixes that the paths of these services, and no others, begin with. */
  pathPrefixes: readonly string[];
  /** The messages that their `google.protobuf.Any` fields hold; absent when they have none. */
  registry?: Registry;
  add(serve: Serve, core: Core, enter: Enter): void;
}

interface RpcRoutesOptions {
  services: RpcServices;
  core: Core;
  access: Access;
  log: Logger;
  /** Ends every stream when it fires, with its reason. */
  endStreams: AbortSignal;
}

const CONTRACT = [PassthruService, NodeService, DriverService, JobService, EventService, InfoService];

/** The services of the contract, gRPC health and server reflection. */
export const SERVICES: RpcServices = {
  pathPrefixes: ['/passthru.v1.', '/grpc.'],
  add(serve, core, enter) {
    serve(PassthruService, passthruService(enter));
    serve(NodeService, nodeService(enter));
    serve(DriverService, driverService(enter));
    serve(JobService, jobService(enter));
    serve(EventService, { ...eventService(enter), ...eventSourceService(enter) });
    serve(InfoService, infoService(enter));
    const names = CONTRACT.map((service) => service.typeName);
    serve(Health, healthService(core, names));
    const reflection = reflectionService(enter, [...CONTRACT, Health, ServerReflection, ServerReflectionAlpha]);
    serve(ServerReflection, reflection);
    serve(ServerReflectionAlpha, reflection);
  },
};

/** Returns a function that adds `services` to a ConnectRouter. */
export function rpcRoutes(options: RpcRoutesOptions): (router: ConnectRouter) => void {
  const { services, core, access, log, endStreams } = options;
  return (router) => {
    services.add(
      (service, implementation) => {
        for (const method of service.methods) {
          const work = implementation[method.localName as keyof typeof implementation] as Work | undefined;
          if (work === undefined) continue;
          const name = `${service.typeName}/${method.name}`;
          const action = rpcAction(name);
          const entry = { name, action, isOpen: access.isOpen(action), log };
          const respondsOnce = method.methodKind === 'unary' || method.methodKind === 'client_streaming';
          const guarded = (respondsOnce ? guardUnary : guardStreaming)(work, entry) as never;
          if (method.methodKind === 'unary') router.rpc(method, guarded);
          // Streams are exempt from the maximum that calls have.
          else router.rpc(method, guarded, { maxTimeoutMs: MAX_DELAY, shutdownSignal: endStreams });
        }
      },
      core,
      createEnter(core, access),
    );
  };
}

/** The implementation of a method, with messages of any type; `serve` has checked their types. */
type Work = (request: unknown, context: HandlerContext) => unknown;

interface Entry {
  name: string;
  action: Action | undefined;
  isOpen: boolean;
  log: Logger;
}

/** Returns `work` for authenticated callers, or for all when it is open, with its errors as statuses. */
function guardUnary(work: Work, entry: Entry): Work {
  const { name, log } = entry;
  return async (request, context) => {
    try {
      const admitted = admit(context, entry, request as Subject);
      if (admitted !== undefined) await admitted;
      return await work(request, context);
    } catch (error) {
      throw toConnectError(error, log, name);
    }
  };
}

/** As `guardUnary`, for a method that responds with a stream. */
function guardStreaming(work: Work, entry: Entry): Work {
  const { name, log } = entry;
  return async function* (request, context) {
    try {
      await admit(context, entry, request as Subject);
      yield* work(request, context) as AsyncIterable<unknown>;
    } catch (error) {
      throw toConnectError(error, log, name);
    }
  };
}
