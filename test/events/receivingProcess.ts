import { OPEN_ACCESS } from '../../src/auth/access.ts';
import { createCore } from '../../src/core/create.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { CallsInFlight } from '../../src/edge/callsInFlight.ts';
import { startReceiver } from '../../src/events/receiver.ts';
import { createRestHandler } from '../../src/rest/handler.ts';
import { serveApis } from '../../src/service.ts';
import { openStore } from '../../src/store/open.ts';
import { CALL_LIMITS, LISTENER_LIMITS } from '../defaultLimits.ts';
import { nodeOf } from './senders.ts';

// A process that receives events into the store of its first argument, at the port of the second, and serves the APIs at the
// third, until it is killed. The secrets of sources are their numbers.
const [url = '', eventsPort, port] = process.argv.slice(2);
const log = silentLogger;
const store = await openStore(url, { log });
const settings = {
  lockedRetryAttempts: 3,
  lockedRetryInterval: 10,
  maxLockWait: 60_000,
  workers: 10,
  events: { rate: 1e6, totalRate: 1e6 },
};
const core = await createCore({ store, hardwareTypes: [], host: `replica-${port}`, log, settings });
const shared = { core, access: OPEN_ACCESS, calls: new CallsInFlight(CALL_LIMITS), log, corsOrigins: [] };
await serveApis({
  ...shared,
  host: '127.0.0.1',
  port: Number(port),
  rest: createRestHandler(shared),
  limits: LISTENER_LIMITS,
  localNamesOnly: false,
});
await startReceiver({
  host: '127.0.0.1',
  port: Number(eventsPort),
  tls: null,
  path: '',
  senders: { find: async (token) => ({ nodeUuid: nodeOf(Number(token)), bmcHost: null }), findKnown: () => null },
  intake: core.intake,
  senderCheck: null,
  refuseOthers: false,
  log,
  ended: () => {},
  otherSender: () => {},
  maxConnections: 1000,
  receiveTimeout: 10_000,
});
process.stdout.write('ready\n');
