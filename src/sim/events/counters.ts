/** What became of a BMC's events. Records are counted once for each subscription, apart from those made. */
export interface EventCounters {
  /** Events that were made. */
  made: number;
  /** Posts that were sent, repeated ones included. */
  posts: number;
  /** Posts that were repeated. */
  repeated: number;
  /** Records of posts that were acknowledged. */
  acknowledged: number;
  /** Responses that count as failures. */
  refused: number;
  /** Posts that got no response: the connection failed, or the time was up. */
  unanswered: number;
  /** Records that were dropped: the queue was full, the retries were used up, the subscription was gone, the BMC restarted. */
  dropped: number;
  /** Records that were written to streams, replayed ones included. */
  streamed: number;
}

export function noEvents(): EventCounters {
  return {
    made: 0,
    posts: 0,
    repeated: 0,
    acknowledged: 0,
    refused: 0,
    unanswered: 0,
    dropped: 0,
    streamed: 0,
  };
}
