import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { SecureVersion } from 'node:tls';
import type { Json, JsonObject } from '../core/json.ts';
import type { ConnectionHabits } from './connections.ts';
import type { Documents, DocumentTree, RedfishDocument } from './documents.ts';
import type { EventHabits } from './events/habits.ts';
import type { EventInput } from './events/records.ts';
import type { SessionTable } from './sessionTable.ts';

// The types that the parts of the simulator share.

/** The path of the service root. */
export const ROOT = '/redfish/v1';

/** A request to a simulated BMC. */
export interface RedfishRequest {
  method: string;
  /** As returned by `documentPath`. */
  path: string;
  /** As sent, with query and slashes. */
  target: string;
  headers: IncomingHttpHeaders;
  /** Empty without a body. */
  body: string;
}

/** The response of a simulated BMC. */
export interface RedfishResponse {
  status: number;
  headers: Record<string, string>;
  /** Null: no body. */
  body: string | null;
  /** How it is sent; whole by default. */
  delivery?: Delivery;
  /** Takes over a response that stays open once its head is sent. */
  stream?: (response: ServerResponse) => void;
}

/**
 * How a response leaves a BMC that does not send it as it should.
 * - `no-body`: the head announces chunks, and the connection is closed before the first.
 * - `half-body`: the connection is closed after half of the body.
 * - `reset-after-head`: the connection is reset after the head.
 * - `reset`: the connection is reset without a response.
 * - `trickled`: the body comes in small parts.
 * - `surplus`: more bytes follow the body than Content-Length announces.
 */
export type Delivery = 'no-body' | 'half-body' | 'reset-after-head' | 'reset' | 'trickled' | 'surplus';

/** Why credentials are refused: none were sent, the token is of no live session, or name or password are wrong. */
export type CredentialsFault = 'missing' | 'session' | 'password';

/** The events of a BMC, as request handlers use them. */
export interface EventOutlet {
  readonly habits: EventHabits;
  /** The number of open streams. */
  readonly streams: number;
  /** Begins to send to the subscription at `path`, with its `HttpHeaders`. */
  subscribed(path: string, headers: Json): void;
  headersChanged(path: string, headers: Json): void;
  /** Goes on to send to the subscription at `from` under its new path. */
  moved(from: string, to: string): void;
  /** Sends the event that SubmitTestEvent asks for. */
  sendTest(input: EventInput): void;
  /** Ends to send to the subscription at `path`, or ends the stream that it stands for. */
  unsubscribed(path: string): void;
  /** Adds the subscription of a stream with these filters. Returns what takes over its response. */
  openStream(filters: JsonObject, lastEventId: string | undefined): (response: ServerResponse) => void;
}

/** The state of one simulated BMC, which request handlers read and change. */
export interface BmcState {
  blueprint: Blueprint;
  documents: DocumentTree;
  /** Null when the BMC has no session service. */
  sessions: SessionTable | null;
  /** Passwords by user name; null when the BMC requires no credentials. */
  accounts: ReadonlyMap<string, string> | null;
  /** The highest Id given to a subscription, initially 0. Ids are not reused. */
  lastSubscriptionId: number;
  /** `http://HOST:PORT`, without a trailing slash. */
  url: string;
  events: EventOutlet;
  /** Restarts the BMC once the response to the current request is sent. */
  restart: () => void;
}

/** An action that a document offers. */
export interface OfferedAction {
  /** For example `VirtualMedia.EjectMedia`. */
  name: string;
  /** The path of the document that offers it. */
  resource: string;
  /** The action's entry in the document: `target`, and possibly allowable values. */
  entry: JsonObject;
}

/** The documents that the BMCs of a fleet share, and the paths of the services in them. */
export interface Blueprint {
  profile: Profile;
  /** The quirks of the profile, then the added ones. */
  quirks: readonly Quirk[];
  documents: Documents;
  /** By the path of the action's target. */
  actions: ReadonlyMap<string, OfferedAction>;
  /** The collection of sessions; null when the BMC accepts Basic authentication only. */
  sessions: string | null;
  eventService: string | null;
  /** The collection of subscriptions; null without an event service. */
  subscriptions: string | null;
}

/** A kind of BMC. */
export interface Profile {
  /** The value of `--profile`; for a capture the file's name. */
  name: string;
  /** One line for `--list-profiles`. */
  description: string;
  /** The initial documents, by path without a trailing slash. */
  documents: Documents;
  /** Its deviations from the specification; none by default. */
  quirks?: readonly Quirk[];
  /** Whether links that are missing in its documents were missing at the machine, so that none is added. */
  verbatim?: boolean;
  /** How it sends events, before its quirks. */
  events?: Partial<EventHabits>;
  /** Whether it requires credentials, unless the fleet's options say so. */
  auth?: 'none';
}

/**
 * One deviation of a machine from Redfish, or from what most machines do. Quirks are stateless values that can be
 * combined; state about a BMC is kept in a `WeakMap` by `BmcState`, which a reset replaces.
 */
export interface Quirk {
  /** The value of `--quirk`. */
  name: string;
  /** One line for `--list-quirks`: what the BMC does, and which machines do it. */
  description: string;
  /** Changes the initial documents, once for a fleet. */
  changeDocuments?(documents: Map<string, RedfishDocument>): void;
  /** Responds before credentials are checked; undefined lets the request continue. */
  beforeAuthentication?(request: RedfishRequest, bmc: BmcState): RedfishResponse | undefined;
  /** Handles an authenticated request; `next` passes it to the next quirk and finally to the BMC. */
  handle?(request: RedfishRequest, bmc: BmcState, next: Next): RedfishResponse;
  /** Changes the response to credentials that are refused. */
  refuseCredentials?(refused: RedfishResponse, fault: CredentialsFault, request: RedfishRequest): RedfishResponse;
  /** Changes any response before it is sent, errors included. */
  changeResponse?(response: RedfishResponse, request: RedfishRequest, bmc: BmcState): RedfishResponse;
  /** Changes an event record before it is sent. `isTest`: SubmitTestEvent asked for it. */
  changeRecord?(record: JsonObject, bmc: BmcState, isTest: boolean): JsonObject;
  /** Changes the body in which records are sent. */
  changeEnvelope?(body: Json, bmc: BmcState): Json;
  /** How events are sent. */
  events?: Partial<EventHabits>;
  /** Reacts to failed event delivery of the subscription at `path`. */
  deliveryFailed?(path: string, bmc: BmcState): void;
  /** Removes what the BMC loses in a restart. */
  restarted?(bmc: BmcState): void;
  connections?: Partial<ConnectionHabits>;
  /** The session limit, when lower than the fleet's. */
  maxSessions?: number;
  /** TLS versions in place of Node's default; no effect on HTTP. */
  tls?: { minVersion: SecureVersion; maxVersion: SecureVersion; ciphers: string };
}

/** Continues with a request. A quirk may pass a changed request, and may call it later. */
export type Next = (request: RedfishRequest) => RedfishResponse;
