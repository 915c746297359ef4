/** Who calls. */
export interface Caller {
  /** The name that jobs, reservations and logs show. */
  name: string;
}
