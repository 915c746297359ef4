import type { Socket } from 'node:net';
import { peerOf } from '../net/networks.ts';

interface ConnectionLimits {
  maxConnections: number;
  maxConnectionsPerPeer: number;
}

interface Peer {
  open: number;
  /** Its connections without pending requests, the longest idle first. */
  readonly idle: Set<Connection>;
}

/** An admitted connection. */
export class Connection {
  readonly peer: Peer;
  readonly socket: Socket;
  /** `end` as a listener, which all of its responses share. */
  readonly onClose = () => this.end();
  #pending = 0;

  constructor(socket: Socket, peer: Peer) {
    this.socket = socket;
    this.peer = peer;
    peer.idle.add(this);
  }

  /** The number of its requests that have begun and have no complete response. */
  get pending(): number {
    return this.#pending;
  }

  /** Counts a request, once its header is complete: slow headers are how idle connections exhaust a server. */
  begin(): void {
    if (this.#pending++ === 0) this.peer.idle.delete(this);
  }

  /** Uncounts a request that has its response or was aborted. */
  end(): void {
    if (--this.#pending === 0 && !this.socket.destroyed) this.peer.idle.add(this);
  }

  destroy(): void {
    this.peer.idle.delete(this);
    this.socket.destroy();
  }
}

/**
 * The open connections. At the limit, a new one replaces the longest idle connection of the peer with the most idle
 * ones, so that a client that opens many and sends nothing does not shut out others. Clients must expect the end of an
 * idle connection at any time (RFC 9112, 9.5).
 */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #peers = new Map<string, Peer>();
  readonly #bySocket = new WeakMap<Socket, Connection>();
  /** By the client's address and port, which a connection and the TLS socket over it share. */
  readonly #open = new Map<string, Connection>();

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** Admits `socket` until it closes. Returns false when there is no room. */
  admit(socket: Socket): boolean {
    const { remoteAddress } = socket;
    // Already closed.
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

  /** Returns the connection admitted as `socket`, or as the socket under its TLS; undefined when that has closed. */
  of(socket: Socket): Connection | undefined {
    let connection = this.#bySocket.get(socket);
    if (connection === undefined) {
      connection = this.#open.get(keyOf(socket));
      if (connection !== undefined) this.#bySocket.set(socket, connection);
    }
    return connection;
  }

  /** Returns the sockets of all open connections; under TLS the ones below it. */
  sockets(): Socket[] {
    return Array.from(this.#open.values(), ({ socket }) => socket);
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

  /** Returns the peer with the most idle connections. */
  #idlest(): Peer | undefined {
    let idlest: Peer | undefined;
    for (const peer of this.#peers.values()) {
      if (peer.idle.size > (idlest?.idle.size ?? 0)) idlest = peer;
    }
    return idlest;
  }
}

/** Closes the longest idle connection of `peer`; returns false when it has none. */
function makeRoom(peer: Peer | undefined): boolean {
  const [longest] = peer?.idle ?? [];
  longest?.destroy();
  return longest !== undefined;
}

function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
