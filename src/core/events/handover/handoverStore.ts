/** How far the hand-over of events is behind. */
export interface HandoverLag {
  /** The number of stored events that were not handed over yet. */
  events: number;
  /** When the oldest of them was received; null without any. */
  oldest: Date | null;
}

/** The part of `Store` that keeps how far events were handed over. One process at a time hands them over, by its lease. */
export interface HandoverStore {
  /** Lets the hand-over begin after the last event that is stored now, unless it has begun before. */
  beginHandover(): Promise<void>;
  /**
   * Makes a conductor the one that hands events over, unless another one with a valid lease does.
   * @returns the position of the last event that was handed over; null when another conductor has the hand-over
   */
  claimHandover(conductor: string): Promise<number | null>;
  /** Stores the position of the last event that was handed over. Returns false when the conductor has lost the hand-over. */
  recordHandover(conductor: string, position: number): Promise<boolean>;
  /** Lets another conductor hand events over. */
  releaseHandover(conductor: string): Promise<void>;
  handoverLag(): Promise<HandoverLag>;
}
