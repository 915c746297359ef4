import type { Socket } from 'node:net';
import { peerOf } from '../net/peer.ts';

export interface ConnectionLimits {
  maxConnections: number;
  maxConnectionsPerPeer: number;
}

interface Peer {
  open: number;
  /** Its connections without a request under way, the one that is idle longest first. */
  readonly idle: Set<Connection>;
}

/** One connection that was admitted. */
export class Connection {
  readonly peer: Peer;
  readonly #socket: Socket;
  #requests = 0;

  constructor(socket: Socket, peer: Peer) {
    this.#socket = socket;
    this.peer = peer;
    peer.idle.add(this);
  }

  /** How many of its requests have begun and are not answered. */
  get underWay(): number {
    return this.#requests;
  }

  /** A request has begun. One that still sends its header has not: that is how slow connections take a server. */
  begin(): void {
    if (this.#requests++ === 0) this.peer.idle.delete(this);
  }

  /** A request has been answered, or given up. */
  end(): void {
    if (--this.#requests === 0 && !this.#socket.destroyed) this.peer.idle.add(this);
  }

  destroy(): void {
    this.peer.idle.delete(this);
    this.#socket.destroy();
  }
}

/**
 * The connections that are open. Where there is no room for one more, the one that is idle longest makes room, of the
 * peer that has the most such: whoever opens many and asks nothing shuts out nobody. A client may always meet the end of
 * an idle connection (RFC 9112, 9.5).
 */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #peers = new Map<string, Peer>();
  readonly #bySocket = new WeakMap<Socket, Connection>();
  /** By the client's address and port, which a connection and the TLS in it share. */
  readonly #open = new Map<string, Connection>();

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** Takes `socket`, until it closes. False when there is no room. */
  admit(socket: Socket): boolean {
    const { remoteAddress } = socket;
    // It has gone already.
    if (remoteAddress === undefined) return true;
    const name = peerOf(remoteAddress);
    let peer = this.#peers.get(name);
    if (peer !== undefined && peer.open >= this.#limits.maxConnectionsPerPeer) {
      if (!makeRoom(peer)) return false;
    } else if (this.#open.size >= this.#limits.maxConnections) {
      if (!makeRoom(this.#idlest())) return false;
    }
    if (peer === undefined) {
      peer = { open: 0, idle: new Set() };
      this.#peers.set(name, peer);
    }
    this.#add(socket, name, peer);
    return true;
  }

  /** What was admitted as `socket`, or as the connection under its TLS; undefined when that has closed. */
  of(socket: Socket): Connection | undefined {
    let connection = this.#bySocket.get(socket);
    if (connection === undefined) {
      connection = this.#open.get(keyOf(socket));
      if (connection !== undefined) this.#bySocket.set(socket, connection);
    }
    return connection;
  }

  #add(socket: Socket, name: string, peer: Peer): void {
    const connection = new Connection(socket, peer);
    const key = keyOf(socket);
    peer.open += 1;
    this.#open.set(key, connection);
    socket.once('close', () => {
      peer.idle.delete(connection);
      peer.open -= 1;
      if (peer.open === 0) this.#peers.delete(name);
      if (this.#open.get(key) === connection) this.#open.delete(key);
    });
  }

  #idlest(): Peer | undefined {
    let idlest: Peer | undefined;
    for (const peer of this.#peers.values()) {
      if (peer.idle.size > (idlest?.idle.size ?? 0)) idlest = peer;
    }
    return idlest;
  }
}

/** Ends the connection of `peer` that is idle longest; false when it has none. */
function makeRoom(peer: Peer | undefined): boolean {
  const [longest] = peer?.idle ?? [];
  longest?.destroy();
  return longest !== undefined;
}

function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
