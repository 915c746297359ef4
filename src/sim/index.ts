// Simulated BMCs that speak Redfish, for tests, the demo and `passthru sim`.
export type { Quirk } from './bmc.ts';
export { loadCapture } from './capture.ts';
export type { Control } from './control.ts';
export { startControl } from './control.ts';
export type { BmcEvents } from './events/bmcEvents.ts';
export type { EventCounters } from './events/counters.ts';
export { type FlowInput, sendEvents } from './events/flow.ts';
export type { EventInput, ReportInput } from './events/records.ts';
export type { Fault } from './faults.ts';
export type { Fleet, FleetOptions } from './fleet.ts';
export { startFleet } from './fleet.ts';
export type { Playback, PlaybackOptions } from './playback/playback.ts';
export { startPlayback } from './playback/playback.ts';
export { loadTranscript, parseTranscript, type Transcript } from './playback/transcriptFile.ts';
export { PROFILES } from './profiles/named.ts';
export { QUIRKS } from './quirks/named.ts';
export type { RecordedRequest } from './requestLog.ts';
export type { SimulatedBmc } from './simulatedBmc.ts';
