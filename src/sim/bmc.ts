import type { IncomingHttpHeaders } from 'node:http';
import type { SecureVersion } from 'node:tls';
import type { JsonObject } from '../core/json.ts';
import type { ConnectionHabits } from './connections.ts';
import type { Documents, DocumentTree, RedfishDocument } from './documents.ts';
import type { SessionTable } from './sessionTable.ts';

/** The path of the service root. */
export const ROOT = '/redfish/v1';

/** A request as the simulated BMC sees it. */
export interface RedfishRequest {
  method: string;
  /** As `documentPath` gives it. */
  path: string;
  /** As sent, with query and slashes. */
  target: string;
  headers: IncomingHttpHeaders;
  /** The body as text; empty when there was none. */
  body: string;
}

/** What the simulated BMC answers. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  /** Null: no body. */
  body: string | null;
}

/** What one simulated BMC knows; the functions that answer requests read and change it. */
export interface BmcState {
  blueprint: Blueprint;
  documents: DocumentTree;
  /** Null when the BMC has no session service. */
  sessions: SessionTable | null;
  /** Passwords by user name; null when the BMC asks for no credentials. */
  accounts: ReadonlyMap<string, string> | null;
  /** The highest Id that a subscription has had; 0 at first. Ids are not used twice. */
  lastSubscriptionId: number;
  /** `http://HOST:PORT`, without a slash at the end. */
  url: string;
  /** Restarts the BMC, once the answer to the request at hand is out. */
  restart: () => void;
}

/** An action that a document offers at some path. */
export interface OfferedAction {
  /** For example `VirtualMedia.EjectMedia`. */
  name: string;
  /** The path of the document that offers it. */
  resource: string;
  /** The action's entry in the document: `target`, and perhaps allowable values. */
  entry: JsonObject;
}

/** All that the BMCs of a fleet share: the documents, and where in them the services are. */
export interface Blueprint {
  profile: Profile;
  /** The profile's, then those that were added. */
  quirks: readonly Quirk[];
  documents: Documents;
  /** By path of the action's target. */
  actions: ReadonlyMap<string, OfferedAction>;
  /** The collection of sessions; null when the BMC has none (it then knows Basic only). */
  sessions: string | null;
  /** The event service; null when the BMC has none. */
  eventService: string | null;
  /** The collection of subscriptions; null when the BMC has no event service. */
  subscriptions: string | null;
}

/** What a simulated BMC is made from. */
export interface Profile {
  /** The word for `--profile`; for a capture the file's name. */
  name: string;
  /** One line for `--list-profiles`. */
  description: string;
  /** What a BMC answers before anything has been changed, by path without a trailing slash. */
  documents: Documents;
  /** What it does otherwise than the specification; nothing by default. */
  quirks?: readonly Quirk[];
}

/**
 * One thing that a machine does otherwise than Redfish says, or than most do. Quirks are values that are put together
 * at will: what one remembers of a BMC it keeps in a `WeakMap` by `BmcState`, which a BMC that is reset has anew.
 */
export interface Quirk {
  /** The word for `--quirk`. */
  name: string;
  /** One line for `--list-quirks`: what the BMC does, and which machines do. */
  description: string;
  /** Changes what the BMC has before any request, once for a whole fleet; `documents` is by path. */
  shapes?(documents: Map<string, RedfishDocument>): void;
  /** Answers before credentials are looked at; undefined: the request goes on. */
  precedes?(request: RedfishRequest, bmc: BmcState): Answer | undefined;
  /** Stands between a request whose credentials are good and what the BMC does: `next` is the rest of the way. */
  handles?(request: RedfishRequest, bmc: BmcState, next: Next): Answer;
  /** Changes every answer on its way out, refusals too. */
  finishes?(answer: Answer, request: RedfishRequest, bmc: BmcState): Answer;
  /** What becomes of a subscription whose events could not be delivered; `path` is its. */
  deliveryFailed?(path: string, bmc: BmcState): void;
  /** What the BMC has lost when it has restarted. */
  restarted?(bmc: BmcState): void;
  connections?: Partial<ConnectionHabits>;
  /** Sessions that the BMC holds, in place of the fleet's number. */
  maxSessions?: number;
  /** In place of what this Node serves; without a key and a certificate nothing. */
  tls?: { minVersion: SecureVersion; maxVersion: SecureVersion; ciphers: string };
}

/** Carries a request on; a quirk may pass another than it got, and pass it later. */
export type Next = (request: RedfishRequest) => Answer;
