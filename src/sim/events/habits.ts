// The events of a simulated BMC: what they look like, and how they are sent to its subscribers.

/** How a BMC sends events. Quirks change it, and so do the documents of its subscriptions. */
export interface EventHabits {
  /** Whether a status tells the sender that its event has arrived. */
  accepts: (status: number) => boolean;
  /** The number of times that a post is repeated. */
  retries: number;
  /** `DeliveryRetryPolicy` of a subscription that has none. */
  retryPolicy: 'TerminateAfterRetries' | 'SuspendRetries' | 'RetryForever';
  /** The number of posts that wait for one subscriber; more are dropped. */
  queue: number;
  /** Whether posts to one subscriber share a connection. */
  keepsConnections: boolean;
  /** `VerifyCertificate` of a subscription that has none. */
  verifies: boolean;
  /** The number of subscriptions, streams included; null: unlimited. */
  maxSubscriptions: number | null;
  /** The number of streams; null: unlimited. */
  maxStreams: number | null;
  /** The number of events that a stream can get again by Last-Event-ID. */
  replays: number;
  /** Whether the filters of a subscription have an effect. */
  filters: boolean;
  /** Whether event ids start over after a restart. */
  idsStartOver: boolean;
}

export const DEFAULT_HABITS: EventHabits = {
  accepts: (status) => status >= 200 && status < 300,
  retries: 3,
  retryPolicy: 'TerminateAfterRetries',
  queue: 500,
  keepsConnections: true,
  verifies: false,
  maxSubscriptions: null,
  maxStreams: null,
  replays: 0,
  filters: true,
  idsStartOver: false,
};
