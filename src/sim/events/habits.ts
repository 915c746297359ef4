// The events of a simulated BMC: what they look like, and how they are sent to its subscribers.

/** What becomes of a subscription when the retries are used up; `None`: nothing, only the event is lost. */
export type RetryPolicy = 'TerminateAfterRetries' | 'SuspendRetries' | 'RetryForever' | 'None';

/** How a BMC sends events. Quirks change it, and so do the documents of its subscriptions. */
export interface EventHabits {
  /** The MessageId of an event that is given none. */
  messageId: string;
  /** The MessageId of a test event that is given none. */
  testMessageId: string;
  /** Whether a test event goes through the filters of subscriptions. */
  testsFiltered: boolean;
  /** Whether a status tells the sender that its event has arrived. */
  accepts: (status: number) => boolean;
  /** The number of times that a post is repeated. */
  retries: number;
  /** The policy of a subscription without `DeliveryRetryPolicy`. */
  retryPolicy: RetryPolicy;
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
  /** What ends the lines of a stream. */
  streamLine: '\n' | '\r\n' | '\r';
  /** What a stream begins with, and what comes before each event: comments, a byte order mark, a time to wait. */
  streamBegin: string;
  streamBefore: string;
  /** Returns the `id` of an event on a stream; null for none. */
  streamId: (id: string) => string | null;
  /** Whether streams are compressed, though nobody asked for it. */
  streamCompressed: boolean;
  /** Whether the filters of a subscription have an effect. */
  filters: boolean;
  /** Whether event ids start over after a restart. */
  idsStartOver: boolean;
  /** The number of spaces by which bodies are indented. */
  indent: number;
}

export const DEFAULT_HABITS: EventHabits = {
  messageId: 'ResourceEvent.1.3.ResourceErrorsDetected',
  testMessageId: 'ResourceEvent.1.3.TestMessage',
  testsFiltered: true,
  accepts: (status) => status >= 200 && status < 300,
  retries: 3,
  retryPolicy: 'TerminateAfterRetries',
  queue: 500,
  keepsConnections: true,
  verifies: false,
  maxSubscriptions: null,
  maxStreams: null,
  replays: 0,
  streamLine: '\n',
  streamBegin: '',
  streamBefore: '',
  streamId: (id) => id,
  streamCompressed: false,
  filters: true,
  idsStartOver: false,
  indent: 0,
};
