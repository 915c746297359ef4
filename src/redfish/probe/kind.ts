/** A kind of behaviour that the probe met. */
export interface Kind {
  /** The name of the quirk with which `passthru sim` shows the same. */
  name: string;
  /** What was seen, in numbers and words alone: no value of the machine. */
  seen: string;
  /**
   * How a capture shows it: by its documents and responses, by naming the quirk, or not at all, as it is of the connection or
   * passes.
   */
  inCapture: 'shown' | 'named' | 'no';
}

/** Returns the kind when it was met. */
export function kind(met: boolean, name: string, seen: string, inCapture: Kind['inCapture'] = 'shown'): Kind[] {
  return met ? [{ name, seen, inCapture }] : [];
}
