import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Access, OPEN_ACCESS } from '../../src/auth/access.ts';
import type { Core } from '../../src/core/core.ts';
import { type CoreSettings, createCore } from '../../src/core/create.ts';
import type { HardwareType } from '../../src/core/hardware.ts';
import type { Logger } from '../../src/core/logger.ts';
import { silentLogger } from '../../src/core/logger.ts';
import type { Store } from '../../src/core/store.ts';
import { CallsInFlight } from '../../src/edge/callsInFlight.ts';
import type { HttpRequest, HttpResponse } from '../../src/http/message.ts';
import { createRestHandler } from '../../src/rest/handler.ts';
import { openStore } from '../../src/store/open.ts';
import { CALL_LIMITS } from '../defaultLimits.ts';

/** A running service: the real core and store behind the REST handler on a port of its own. */
export interface RestService {
  /** `http://127.0.0.1:PORT` */
  url: string;
  core: Core;
  store: Store;
  handler: (request: HttpRequest, response: HttpResponse) => void;
  close(): Promise<void>;
}

export interface RestServiceOptions {
  hardwareTypes: readonly HardwareType[];
  settings?: Partial<CoreSettings>;
  log?: Logger;
  corsOrigins?: readonly string[];
  /** Who may come in; everybody when not given. */
  access?: Access;
}

export async function startRestService(options: RestServiceOptions): Promise<RestService> {
  const { log = silentLogger, corsOrigins, access = OPEN_ACCESS } = options;
  const store = await openStore('sqlite::memory:', { log });
  const core = await createCore({
    store,
    hardwareTypes: options.hardwareTypes,
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
  const handler = createRestHandler({ core, access, calls: new CallsInFlight(CALL_LIMITS), log, corsOrigins });
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    core,
    store,
    handler,
    async close() {
      await closeServer(server);
      await core.shutdown(0);
      await store.close();
    },
  };
}

function closeServer(server: Server): Promise<unknown> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  return closed;
}
