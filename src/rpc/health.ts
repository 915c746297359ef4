import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { type Health, HealthCheckResponse_ServingStatus as Status } from '../../gen/grpc/health/v1/health_pb.ts';
import type { Core } from '../core/core.ts';
import { callEnd } from './deadline.ts';

/** How often a Watch looks whether the service still takes calls, in milliseconds. */
const WATCH_INTERVAL = 5000;

/**
 * The gRPC health protocol (grpc/doc/health-checking.md; List: gRFC A90). All services take calls or none does.
 * @param services the full names of the services; the empty name stands for the server
 */
export function healthService(core: Core, services: readonly string[]): ServiceImpl<typeof Health> {
  const names = new Set(['', ...services]);
  const status = async () => {
    try {
      await core.checkReady();
      return Status.SERVING;
    } catch {
      return Status.NOT_SERVING;
    }
  };
  return {
    async check(request) {
      if (!names.has(request.service)) throw new ConnectError('unknown service', Code.NotFound);
      return { status: await status() };
    },
    async list() {
      const now = await status();
      return { statuses: Object.fromEntries([...names].map((name) => [name, { status: now }])) };
    },
    async *watch(request, context) {
      using end = callEnd(context);
      const { signal } = end;
      let told: Status | null = null;
      while (!signal.aborted) {
        const now = names.has(request.service) ? await status() : Status.SERVICE_UNKNOWN;
        if (now !== told) yield { status: now };
        told = now;
        await sleep(WATCH_INTERVAL, undefined, { signal, ref: false }).catch(() => {});
      }
      if (told === Status.SERVING && (await status()) === Status.NOT_SERVING) yield { status: Status.NOT_SERVING };
      throw signal.reason;
    },
  };
}
