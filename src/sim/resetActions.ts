import type { Json } from '../core/json.ts';
import type { Answer, BmcState, OfferedAction, RedfishRequest } from './bmc.ts';
import { refuse, shown } from './messages.ts';
import { noContent, readParameters } from './response.ts';

/** The power state that each ResetType leads to; PushPowerButton and what is not here change it or leave it alone. */
const POWER_AFTER: ReadonlyMap<string, string> = new Map([
  ['On', 'On'],
  ['ForceOn', 'On'],
  ['ForceOff', 'Off'],
  ['GracefulShutdown', 'Off'],
  ['ForceRestart', 'On'],
  ['GracefulRestart', 'On'],
  ['PowerCycle', 'On'],
]);

/** POST to ComputerSystem.Reset: 204, and `PowerState` is what the ResetType leads to, at once. */
export function resetSystem(request: RedfishRequest, bmc: BmcState, action: OfferedAction): Answer {
  const read = readResetType(request, action);
  if ('refusal' in read) return read.refusal;
  const system = bmc.documents.get(action.resource);
  if (!system) return noContent();
  const toggled = system.PowerState === 'On' ? 'Off' : 'On';
  const after = read.type === 'PushPowerButton' ? toggled : POWER_AFTER.get(read.type ?? 'On');
  if (after) bmc.documents.set(action.resource, { ...system, PowerState: after });
  return noContent();
}

/** POST to Manager.Reset: 204, and the BMC restarts. */
export function resetManager(request: RedfishRequest, bmc: BmcState, action: OfferedAction): Answer {
  const read = readResetType(request, action);
  if ('refusal' in read) return read.refusal;
  bmc.restart();
  return noContent();
}

/** The ResetType asked for; undefined when none is given, which Redfish allows. */
function readResetType(
  request: RedfishRequest,
  action: OfferedAction,
): { type: string | undefined } | { refusal: Answer } {
  const read = readParameters(request);
  if ('refusal' in read) return read;
  const { ResetType: type, ...others } = read.object;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return { refusal: refuse('ActionParameterUnknown', action.name, unknown) };
  if (type === undefined) return { type };
  const allowed: Json | undefined = action.entry['ResetType@Redfish.AllowableValues'];
  if (typeof type !== 'string' || (Array.isArray(allowed) && !allowed.includes(type))) {
    return { refusal: refuse('ActionParameterValueNotInList', shown(type), 'ResetType', action.name) };
  }
  return { type };
}
