import { loadConfig } from '../../src/config/load.ts';
import { type AuditRecord, MAX_ARGUMENTS_LENGTH } from '../../src/observe/auditRecord.ts';
import { createServiceLog } from '../../src/observe/log.ts';
import { type Service, startService } from '../../src/service.ts';
import { type Fleet, startFleet } from '../../src/sim/index.ts';

export { MAX_ARGUMENTS_LENGTH };

/** A service whose log, audit and metrics a test can read. */
export interface ObservedService extends AsyncDisposable {
  service: Service;
  fleet: Fleet;
  /** The parsed lines of the log. */
  lines: Record<string, unknown>[];
  /** The audit records. */
  records: AuditRecord[];
  /** Sends a REST request; `body` is sent as JSON. */
  send(verb: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
  /** Returns the value of a metric, such as `passthru_workers_busy` or `a{b="c"}`; undefined when absent. */
  metric(name: string): Promise<number | undefined>;
}

/**
 * Starts it with the nodes `fake-1` and `rf-1`, whose BMC is simulated.
 * @param environment additional settings
 */
export async function startObserved(environment: Record<string, string> = {}): Promise<ObservedService> {
  const lines: Record<string, unknown>[] = [];
  const records: AuditRecord[] = [];
  const log = createServiceLog('debug', { write: (line) => void lines.push(JSON.parse(line)) });
  const config = loadConfig({
    file: null,
    environment: {
      PASSTHRU_LISTEN: '127.0.0.1:0',
      PASSTHRU_STORE: 'sqlite::memory:',
      PASSTHRU_NODE_LOCKED_RETRY_ATTEMPTS: '0',
      PASSTHRU_REDFISH_CONNECTION_ATTEMPTS: '1',
      ...environment,
    },
  });
  const fleet = await startFleet();
  const service = await startService(config, { log, audit: (record) => void records.push(record) });
  const admin = { name: 'tester', role: 'admin' as const };
  await service.core.nodes.create({ name: 'fake-1', driver: 'fake-hardware' }, admin);
  const driverInfo = {
    redfish_address: fleet.bmcs[0]!.url,
    redfish_username: 'u',
    redfish_password: 'p',
  };
  await service.core.nodes.create({ name: 'rf-1', driver: 'redfish', driverInfo }, admin);
  return {
    service,
    fleet,
    lines,
    records,
    send: (verb, path, body, headers = {}) =>
      fetch(service.url + path, {
        method: verb,
        headers: { 'X-OpenStack-Ironic-API-Version': '1.80', ...headers },
        body: body === undefined ? null : JSON.stringify(body),
      }),
    async metric(name) {
      const text = await (await fetch(service.metricsUrl ?? `${service.url}/metrics`)).text();
      const line = text.split('\n').find((each) => each.startsWith(`${name} `));
      return line === undefined ? undefined : Number(line.slice(name.length + 1));
    },
    async [Symbol.asyncDispose]() {
      await service.close();
      await fleet.close();
    },
  };
}
