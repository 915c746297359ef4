/** Who calls. */
export interface Caller {
  /** The name that jobs, reservations and logs show. */
  name: string;
}

/** Everyone, as long as nobody is asked who they are (`auth.type: none`). */
export const ANONYMOUS: Caller = { name: 'anonymous' };
