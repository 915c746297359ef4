import type { JsonObject } from '../json.ts';
import type { NodeTask } from '../task.ts';
import type { EventSeverity } from './event.ts';
import type { EventSelection } from './eventSource.ts';

/** A piece of work on the events of a node. `fence` is null for work that changes nothing, which runs beside calls. */
export type EventsTask = Pick<NodeTask, 'node' | 'fence' | 'signal' | 'beforeSend' | 'log' | 'recorder'>;

/** A subscription to make. */
export interface NewEventSubscription {
  /** The URL that the BMC posts events to. Its last segment is a secret: it must not show in errors or logs. */
  destination: string;
  /** The text by which the subscription is recognised; left out where the BMC takes none. */
  context: string;
  /** What the BMC cannot select is left out, so that it sends more. */
  selection: EventSelection;
}

/** A subscription as the BMC shows it. */
export interface EventSubscription {
  uri: string;
  /** Null where the BMC hides it. */
  destination: string | null;
  /** Null where the BMC drops it. */
  context: string | null;
  /** Why the BMC sends nothing, such as that it has disabled the subscription; null when it sends events. */
  fault: string | null;
}

/** The subscriptions of a BMC, whoever made them. */
export interface EventSubscriptions {
  subscriptions: EventSubscription[];
  /** Whether all could be read. */
  complete: boolean;
}

/** How a BMC is, apart from one subscription; null for what it does not tell. */
export interface BmcState {
  /** The time by its clock. */
  clock: Date | null;
  /** When it restarted last, by its clock. */
  lastReset: Date | null;
  /** The URIs of all subscriptions, in any order. */
  subscriptions: readonly string[] | null;
}

/** A message of a registry. */
export interface RegistryMessage {
  /** The text, with `%1` for the first argument. */
  text: string;
  severity: EventSeverity | null;
}

/** Receives a stream of events. */
export interface EventStreamSink {
  /** The BMC has accepted the stream. */
  opened(): void;
  /** Anything arrived, such as a comment that keeps the connection alive. */
  alive(): void;
  /**
   * An event arrived; the next is read when the promise resolves. A rejection ends the stream with the same.
   * @param id its id, with which a stream resumes; null for none
   * @param body JSON, as a BMC posts it; null when it was too long to be read
   */
  event(id: string | null, body: string | null): Promise<void>;
}

/**
 * What the service needs of a hardware type to receive the events of its nodes. Methods throw PassthruErrors as those of a
 * vendor interface do; kind `bmc_unsupported` says that the BMC has no such thing.
 */
export interface EventsInterface {
  /** Returns the URL of the node's BMC, without credentials. Throws kind `invalid_argument` when driver_info is invalid. */
  address(node: NodeTask['node']): string;
  /** Makes a subscription and returns its URI. */
  subscribe(task: EventsTask, subscription: NewEventSubscription): Promise<string>;
  /** Returns a subscription; null when it does not exist. */
  getSubscription(task: EventsTask, uri: string): Promise<EventSubscription | null>;
  listSubscriptions(task: EventsTask): Promise<EventSubscriptions>;
  /** Deletes a subscription; does nothing when it does not exist. */
  unsubscribe(task: EventsTask, uri: string): Promise<void>;
  /** Makes the BMC send a test event. Returns its message id, without registry and version; null when that is not known. */
  requestTest(task: EventsTask): Promise<string | null>;
  /** Throws kind `bmc_unsupported` when the BMC sends no events now, whatever is subscribed. Default: nothing is told. */
  readState?(task: EventsTask): Promise<BmcState>;
  /**
   * Reads the BMC's stream of events until the BMC ends it. Throws when it cannot be opened, breaks, or the signal fires.
   * Without this method the BMC has none.
   * @param lastEventId the last event that was received, after which the BMC resumes where it can; null for none
   */
  stream?(task: EventsTask, lastEventId: string | null, sink: EventStreamSink): Promise<void>;
  /** Returns what the BMC's registries say about message ids; those that are unknown are left out. */
  messages?(task: EventsTask, messageIds: readonly string[]): Promise<ReadonlyMap<string, RegistryMessage>>;
  /** Returns the record to which a BMC has sent only a link. */
  readRecord?(task: EventsTask, link: string): Promise<JsonObject>;
}
