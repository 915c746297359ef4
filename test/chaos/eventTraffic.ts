import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Fleet, type SimulatedBmc, startFleet } from '../../src/sim/index.ts';
import { enrolNode, setEventSource } from './grpcClient.ts';
import type { Random } from './random.ts';
import type { Replica } from './replica.ts';

/** The number of BMCs that send. */
const BMCS = 6;

/** Milliseconds between two events of a BMC, and the number of its events that may wait. */
const INTERVAL = 100;
const MAX_WAITING = 5;

/** Milliseconds between two attempts of a BMC to send an event. */
const RETRY_INTERVAL = 200;

/** A load balancer in front of the receivers of all replicas: it knows neither HTTP nor which of them is well. */
export class Balancer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** @param pick returns the port of a receiver; null when none is there */
  private constructor(pick: () => number | null) {
    this.#server = createServer((client) => {
      const port = pick();
      if (port === null) return void client.destroy();
      const service = connect(port, '127.0.0.1');
      for (const [one, other] of [
        [client, service],
        [service, client],
      ] as const) {
        this.#sockets.add(one);
        one.on('error', () => {});
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
  }

  static async start(pick: () => number | null): Promise<Balancer> {
    const balancer = new Balancer(pick);
    balancer.#server.listen(0, '127.0.0.1');
    await once(balancer.#server, 'listening');
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Returns a balancer of the replicas that run. */
export function balance(replicas: readonly Replica[], random: Random): Promise<Balancer> {
  return Balancer.start(() => {
    const running = replicas.filter(({ url }) => url !== null);
    return running.length === 0 ? null : random.pick(running).eventsPort;
  });
}

/** BMCs that send events to the replicas, through their load balancer. */
export class EventTraffic {
  readonly fleet: Fleet;
  /** The nodes of the BMCs, in their order. */
  readonly nodes: readonly string[];
  readonly #stop = new AbortController();
  #sending: Promise<void>[] = [];

  private constructor(fleet: Fleet, nodes: readonly string[]) {
    this.fleet = fleet;
    this.nodes = nodes;
  }

  /** Enrols the nodes and sets their event sources at the service. */
  static async start(url: string): Promise<EventTraffic> {
    const fleet = await startFleet({
      count: BMCS,
      keepRequests: 1,
      eventRetryInterval: RETRY_INTERVAL,
      eventTimeout: 5000,
    });
    const nodes: string[] = [];
    for (const [index, bmc] of fleet.bmcs.entries()) {
      const uuid = await enrolNode(url, `sender-${index}`, 'redfish', bmc.url);
      await setEventSource(url, uuid);
      nodes.push(uuid);
    }
    return new EventTraffic(fleet, nodes);
  }

  /** Begins to send. */
  begin(): void {
    this.#sending = this.fleet.bmcs.map((bmc) => this.#send(bmc));
  }

  /** Sends no more, and waits until what was made has been acknowledged, for a limited time in milliseconds. */
  async finish(time: number): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#sending);
    const end = performance.now() + time;
    while (this.fleet.bmcs.some(({ events }) => events.waiting > 0) && performance.now() < end) await sleep(50);
  }

  /** Makes events of one BMC, and no more of them than a slow machine takes. */
  async #send({ events }: SimulatedBmc): Promise<void> {
    while (!this.#stop.signal.aborted) {
      if (events.waiting < MAX_WAITING) events.send();
      await sleep(INTERVAL);
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#sending);
    await this.fleet.close();
  }
}
