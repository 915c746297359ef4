import { limitKeys } from '../src/config/limitSettings.ts';
import { callLimits, listenerLimits } from '../src/service.ts';

const defaults = limitKeys.parse({});

/** The limits of a service whose configuration sets none. */
export const CALL_LIMITS = callLimits(defaults);
export const LISTENER_LIMITS = listenerLimits(defaults);
