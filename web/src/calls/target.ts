/** What a method is called on: a node, or a driver itself. */
export type Target =
  | {
      kind: 'node';
      /** Its name; the UUID of a node without one. */
      name: string;
      uuid: string;
    }
  | { kind: 'driver'; name: string };
