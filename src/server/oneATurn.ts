/**
 * Does one of the works that it is given in each turn of the event loop, in their order, so that between two of them
 * everybody else is served.
 */
export function oneATurn(): (work: () => void) => void {
  const waiting: (() => void)[] = [];
  const turn = () => {
    waiting[0]?.();
    waiting.shift();
    if (waiting.length > 0) setImmediate(turn);
  };
  return (work) => {
    if (waiting.push(work) === 1) setImmediate(turn);
  };
}
