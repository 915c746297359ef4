/** A call with an idempotency key. */
export interface IdempotentCall {
  caller: string;
  key: string;
  /** Equal for equal calls. */
  fingerprint: string;
  createTime: Date;
}
