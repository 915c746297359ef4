import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { type Health, HealthCheckResponse_ServingStatus as Status } from '../../gen/grpc/health/v1/health_pb.ts';
import type { Core } from '../core/core.ts';
import { callEnd } from './deadline.ts';

/** How often a Watch checks whether the service still takes calls, in ms. */
const WATCH_INTERVAL = 5000;

/**
 * Implements the gRPC health protocol (grpc/doc/health-checking.md; List: gRFC A90). Either all services take calls or
 * none.
 * @param services the full names of the services; the empty name for the server is added
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
      let sent: Status | null = null;
      while (!signal.aborted) {
        const now = names.has(request.service) ? await status() : Status.SERVICE_UNKNOWN;
        if (now !== sent) yield { status: now };
        sent = now;
        await sleep(WATCH_INTERVAL, undefined, { signal, ref: false }).catch(() => {});
      }
      if (sent === Status.SERVING && (await status()) === Status.NOT_SERVING) yield { status: Status.NOT_SERVING };
      throw signal.reason;
    },
  };
}
