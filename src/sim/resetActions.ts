import type { Json } from '../core/json.ts';
import type { BmcState, OfferedAction, RedfishRequest, RedfishResponse } from './bmc.ts';
import { asArgument, refuse } from './messages.ts';
import { noContent, Refusal, readParameters } from './response.ts';

/** The power state after each ResetType except PushPowerButton, which toggles it. */
const POWER_AFTER: ReadonlyMap<string, string> = new Map([
  ['On', 'On'],
  ['ForceOn', 'On'],
  ['ForceOff', 'Off'],
  ['GracefulShutdown', 'Off'],
  ['ForceRestart', 'On'],
  ['GracefulRestart', 'On'],
  ['PowerCycle', 'On'],
]);

/** POST to ComputerSystem.Reset: changes `PowerState` at once and returns 204. */
export function resetSystem(request: RedfishRequest, bmc: BmcState, action: OfferedAction): RedfishResponse {
  const type = readResetType(request, action);
  const system = bmc.documents.get(action.resource);
  const toggled = system?.PowerState === 'On' ? 'Off' : 'On';
  const after = type === 'PushPowerButton' ? toggled : POWER_AFTER.get(type);
  if (system && after) bmc.documents.set(action.resource, { ...system, PowerState: after });
  return noContent();
}

/** POST to Manager.Reset: restarts the BMC and returns 204. */
export function resetManager(request: RedfishRequest, bmc: BmcState, action: OfferedAction): RedfishResponse {
  readResetType(request, action);
  bmc.restart();
  return noContent();
}

/** Returns the ResetType; On without one, which Redfish allows. Throws a `Refusal` for invalid parameters. */
function readResetType(request: RedfishRequest, action: OfferedAction): string {
  const { ResetType: type, ...others } = readParameters(request);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new Refusal(refuse('ActionParameterUnknown', action.name, unknown));
  if (type === undefined) return 'On';
  const allowed: Json | undefined = action.entry['ResetType@Redfish.AllowableValues'];
  if (typeof type !== 'string' || (Array.isArray(allowed) && !allowed.includes(type))) {
    throw new Refusal(refuse('ActionParameterValueNotInList', asArgument(type), 'ResetType', action.name));
  }
  return type;
}
