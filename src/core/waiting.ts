/**
 * `work`, or the reason of `signal` when that fires first; `work` then goes on to its own end.
 * @param aborted called when the signal fires first
 */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal, aborted?: () => void): Promise<T> {
  const left = Promise.withResolvers<never>();
  const leave = () => {
    aborted?.();
    left.reject(signal.reason);
  };
  if (signal.aborted) leave();
  else signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([work, left.promise]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
