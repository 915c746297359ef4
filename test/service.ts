import { type Access, OPEN_ACCESS } from '../src/auth/access.ts';
import type { Core } from '../src/core/core.ts';
import { type CoreSettings, createCore } from '../src/core/create.ts';
import type { HardwareType } from '../src/core/hardware.ts';
import { type Logger, silentLogger } from '../src/core/logger.ts';
import type { Store } from '../src/core/store.ts';
import { type CallLimits, CallsInFlight } from '../src/edge/callsInFlight.ts';
import type { ListenerLimits } from '../src/http/limits.ts';
import type { Listener } from '../src/http/listener.ts';
import type { HttpHandler } from '../src/http/message.ts';
import type { ListenerTls } from '../src/http/tls.ts';
import { createRestHandler } from '../src/rest/handler.ts';
import type { RpcLimits } from '../src/rpc/handler.ts';
import { serveApis } from '../src/service.ts';
import { openStore } from '../src/store/open.ts';
import { CALL_LIMITS, LISTENER_LIMITS } from './defaultLimits.ts';

/** A service on a free port of loopback, with the real core and an in-memory store. */
export interface RunningService {
  /** `http://127.0.0.1:PORT` */
  url: string;
  core: Core;
  store: Store;
  /** The REST handler. */
  handler: HttpHandler;
  listener: Listener;
  close(): Promise<void>;
}

export interface RunOptions {
  hardwareTypes: readonly HardwareType[];
  settings?: Partial<CoreSettings>;
  log?: Logger;
  /** Default: every caller is an admin. */
  access?: Access;
  corsOrigins?: readonly string[];
  limits?: Partial<ListenerLimits>;
  rpcLimits?: Partial<RpcLimits>;
  callLimits?: Partial<CallLimits>;
  localNamesOnly?: boolean;
  tls?: ListenerTls;
}

export async function runService(options: RunOptions): Promise<RunningService> {
  const { hardwareTypes, log = silentLogger, corsOrigins = [], access = OPEN_ACCESS } = options;
  const store = await openStore('sqlite::memory:', { log });
  const core = await createCore({
    store,
    hardwareTypes,
    host: 'localhost',
    log,
    settings: {
      lockedRetryAttempts: 3,
      lockedRetryInterval: 10,
      maxLockWait: 60_000,
      workers: 100,
      ...options.settings,
    },
  });
  const shared = {
    core,
    access,
    calls: new CallsInFlight({ ...CALL_LIMITS, ...options.callLimits }),
    log,
    corsOrigins,
  };
  const handler = createRestHandler(shared);
  const listener = await serveApis({
    ...shared,
    host: '127.0.0.1',
    port: 0,
    rest: handler,
    limits: { ...LISTENER_LIMITS, ...options.limits },
    rpcLimits: options.rpcLimits,
    tls: options.tls,
    localNamesOnly: options.localNamesOnly ?? false,
  });
  return {
    url: listener.url,
    core,
    store,
    handler,
    listener,
    async close() {
      await Promise.all([listener.close(0), core.shutdown(0)]);
      await store.close();
    },
  };
}
