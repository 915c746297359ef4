import { expect, vi } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { EventSource, EventTransport } from '../../src/core/events/eventSource.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { silentLogger } from '../../src/core/logger.ts';
import type { Node } from '../../src/core/node.ts';
import { type Service, startService } from '../../src/service.ts';
import { PROFILES, QUIRKS, type SimulatedBmc, startFleet } from '../../src/sim/index.ts';

export const caller = { name: 'operator', role: 'admin' as const };
export const EVERYTHING = { registryPrefixes: [], messageIds: [], resourceTypes: [], severities: [] };

/** Starts a service that receives events, looks after sources every second, and has no nodes. */
export async function startWatching(environment: Record<string, string> = {}): Promise<Service> {
  const settings = {
    PASSTHRU_STORE: 'sqlite::memory:',
    PASSTHRU_LISTEN: '127.0.0.1:0',
    PASSTHRU_EVENTS_LISTEN: '127.0.0.1:0',
    PASSTHRU_EVENTS_TEST_TIMEOUT: '4s',
    PASSTHRU_EVENTS_VERIFY_INTERVAL: '1s',
    PASSTHRU_REDFISH_CONNECTION_ATTEMPTS: '1',
    PASSTHRU_SECRETS_PLAIN: 'true',
    ...environment,
  };
  return startService(loadConfig({ file: null, environment: settings }), { log: silentLogger });
}

/** Makes events that are told apart by their arguments, which every machine sends. */
let proofs = 0;

/** A node with two simulated BMCs, of which it uses the first until it is moved. */
export class WatchedMachine {
  readonly bmcs: readonly SimulatedBmc[];
  readonly node: string;
  #service: Service;
  readonly #close: () => Promise<void>;
  /** The place of the node's BMC in `bmcs`. */
  #current = 0;

  private constructor(service: Service, node: string, bmcs: readonly SimulatedBmc[], close: () => Promise<void>) {
    this.#service = service;
    this.node = node;
    this.bmcs = bmcs;
    this.#close = close;
  }

  static async start(
    service: Service,
    node: string,
    profile: string,
    options: { quirks?: readonly string[]; tls?: { key: string; cert: string }; verifyCa?: boolean | string } = {},
  ): Promise<WatchedMachine> {
    const { quirks = [], tls, verifyCa = false } = options;
    const fleet = await startFleet({
      count: 2,
      profile: PROFILES.get(profile)!,
      quirks: quirks.map((name) => QUIRKS.get(name)!),
      eventRetryInterval: 300,
      tls,
    });
    const machine = new WatchedMachine(service, node, fleet.bmcs, () => fleet.close());
    const driverInfo = {
      ...machine.#address(0),
      redfish_username: 'u',
      redfish_password: 'p',
      redfish_verify_ca: verifyCa,
    };
    await service.core.nodes.create({ name: node, driver: 'redfish', driverInfo }, caller);
    return machine;
  }

  get bmc(): SimulatedBmc {
    return this.bmcs[this.#current]!;
  }

  /** The paths of the service's subscriptions at its BMC. */
  get own(): string[] {
    return this.#subscriptions().filter((path) => isOwn(this.document(path)));
  }

  /** The subscriptions of others at its first BMC, however they are called; those that stand for streams left out. */
  get others(): JsonObject[] {
    const all = this.#subscriptions(this.bmcs[0]).map((path) => this.bmcs[0]!.documents.get(path) as JsonObject);
    return all
      .filter((document) => !isOwn(document) && document.SubscriptionType !== 'SSE')
      .map(({ '@odata.id': _, Id: __, ...rest }) => rest);
  }

  document(path: string): JsonObject {
    return this.bmc.documents.get(path) as JsonObject;
  }

  /** Changes a document, as the BMC itself does. */
  change(path: string, change: JsonObject): void {
    const { documents } = this.bmc;
    documents.set(path, { ...documents.get(path)!, ...change });
  }

  /** Sets what the BMC's manager tells of its clock. */
  tellClock(change: { DateTime: string; LastResetTime?: string }): void {
    const { Members: members } = this.document('/redfish/v1/Managers');
    for (const { '@odata.id': path } of members as { '@odata.id': string }[]) this.change(path, change);
  }

  /** The path of its stream. */
  get stream(): string {
    return String(this.document('/redfish/v1/EventService').ServerSentEventUri);
  }

  /** Adds a subscription that this service did not make now. */
  add(change: JsonObject): string {
    const { documents } = this.bmc;
    const collection = '/redfish/v1/EventService/Subscriptions';
    const path = `${collection}/added-${++proofs}`;
    documents.addMember(path, {
      '@odata.id': path,
      Id: `added-${proofs}`,
      Protocol: 'Redfish',
      Context: '',
      ...change,
    });
    return path;
  }

  async set(transport: EventTransport | null = 'push'): Promise<void> {
    await this.#service.core.eventSources.set(this.node, { transport, selection: EVERYTHING }, caller);
  }

  /** Changes the node's driver_info. */
  async configure(change: JsonObject): Promise<void> {
    const update = ({ driverInfo }: Node) => ({ driverInfo: { ...driverInfo, ...change } });
    await this.#service.core.nodes.update(this.node, update, caller, new AbortController().signal);
  }

  /** Gives the node the other BMC. */
  async move(): Promise<void> {
    this.#current = 1 - this.#current;
    await this.configure(this.#address(this.#current));
  }

  source(): Promise<EventSource> {
    return this.#service.core.eventSources.get(this.node);
  }

  /** Waits until the source is not active, and returns why. */
  async reason(matches: RegExp): Promise<string> {
    return vi.waitFor(async () => {
      const { state, reason } = await this.source();
      expect(state).toMatch(/degraded|failed/);
      expect(reason).toMatch(matches);
      return reason!;
    });
  }

  /** Waits until the source is active, by one subscription or one stream that works. */
  async healed(transport: EventTransport = 'push'): Promise<EventSource> {
    const source = await vi.waitFor(async () => {
      const now = await this.source();
      expect(now).toMatchObject({ state: 'active', reason: null, activeTransport: transport });
      expect([this.own.length, this.bmc.events.streams]).toEqual(transport === 'push' ? [1, 0] : [0, 1]);
      return now;
    });
    await (transport === 'push' ? this.proven() : this.streamed());
    return source;
  }

  /** Waits until an event that the BMC sends now is stored. */
  async proven(): Promise<void> {
    const args = [`proof-${++proofs}`];
    this.bmc.events.send({ args });
    await vi.waitFor(async () => expect(await this.#arguments()).toContain(args[0]));
  }

  /** Waits until an event that the BMC sends from now on is stored: one on a stream that ends just then may be lost. */
  async streamed(): Promise<void> {
    const sent: string[] = [];
    await vi.waitFor(
      async () => {
        sent.push(`proof-${++proofs}`);
        this.bmc.events.send({ args: sent.slice(-1) });
        expect((await this.#arguments()).some((each) => sent.includes(each))).toBe(true);
      },
      { interval: 300 },
    );
  }

  async gaps(): Promise<string[]> {
    const events = await this.#events();
    return events.flatMap(({ content }) => (content.kind === 'gap' ? [content.message] : []));
  }

  /** Goes on with a service that was started on the same store. */
  use(service: Service): void {
    this.#service = service;
  }

  /** Removes the node, and with it its subscription. */
  async remove(): Promise<void> {
    await this.#service.core.nodes.delete(this.node, caller, new AbortController().signal);
  }

  /** Stops its BMCs. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  #subscriptions(bmc = this.bmc): string[] {
    const { Members: members } = bmc.documents.get('/redfish/v1/EventService/Subscriptions')!;
    return (members as { '@odata.id': string }[]).map((member) => member['@odata.id']);
  }

  async #arguments(): Promise<string[]> {
    const events = await this.#events();
    return events.flatMap(({ content }) => (content.kind === 'gap' ? [] : content.messageArgs));
  }

  async #events() {
    const { events } = await this.#service.core.events.list({
      ...{ nodes: [this.node], minSeverity: null, messages: [], origin: null },
      ...{ limit: 1000, before: null, since: null, until: null, withRaw: false },
    });
    return events;
  }

  #address(index: number): JsonObject {
    return { redfish_address: this.bmcs[index]!.url };
  }
}

/** Whether a subscription is of the service: it leads to a secret path, or did when it was made. */
function isOwn({ Destination, Context }: JsonObject): boolean {
  return /passthru_evt_/.test(String(Destination)) || /^passthru:(?!other:)/.test(String(Context));
}
