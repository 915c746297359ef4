// What the service has to know of its own process: its signals, the npm above it, its limit of open files.
import { whenNpmIsGone } from './npmParent.ts';

export type StopSignal = 'SIGTERM' | 'SIGINT';

interface StopHandlers {
  /** Called once, at the first signal. */
  stop(signal: StopSignal): void;
  /** Called for a further signal that was sent on purpose. */
  stopNow(signal: StopSignal): void;
}

/**
 * How long after the first signal further ones count as the same, in ms: a terminal sends Ctrl-C to npm and to the service,
 * and npm passes its own on; a supervisor that signals the whole group does the same with SIGTERM.
 */
const SAME_STOP = 1000;

/**
 * Calls `stop` on SIGTERM, on SIGINT, and when the npm that started this process is gone.
 * @param now the monotonic clock, in ms
 */
export function onStopSignal({ stop, stopNow }: StopHandlers, now = () => performance.now()): void {
  let began: number | null = null;
  const begin = (signal: StopSignal) => {
    began = now();
    stopWatching();
    stop(signal);
  };
  // Never a second signal: after Ctrl-C npm may end before the service.
  const stopWatching = whenNpmIsGone(() => begin('SIGTERM'));
  const receive = (signal: StopSignal) => {
    if (began === null) begin(signal);
    else if (now() - began >= SAME_STOP) stopNow(signal);
  };
  process.on('SIGTERM', receive).on('SIGINT', receive);
}
