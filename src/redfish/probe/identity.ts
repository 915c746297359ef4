import { isSecretName } from '../../core/secretNames.ts';

// Which members of a document may be told, by name. What is in none of these lists counts as unknown, and is replaced.

/** What the value of a member identifies. */
export type Identity = 'serial' | 'uuid' | 'mac' | 'address' | 'host' | 'user' | 'url' | 'context' | 'text';

/** Secrets that only a capture of a whole machine meets, besides those of `isSecretName`. */
const SECRETS = /keys?$|licen[cs]e|certificate_?string|engine_?id|^pin$|^otp|session_?id|salt|hash$/i;

/** Whether a member holds a secret. */
export function isSecret(name: string): boolean {
  return isSecretName(name) || SECRETS.test(name);
}

const IDENTITIES: readonly (readonly [pattern: RegExp, identity: Identity])[] = [
  [/uuid|guid/i, 'uuid'],
  [/mac_?addr|^mac$|wwn|wwpn|permanentaddress/i, 'mac'],
  [/^(destination|image|.*url|publicationuri)$/i, 'url'],
  [/^context$/i, 'context'],
  [/host_?name|fqdn|domain|dns|^host$|system_?name|ilo_?name/i, 'host'],
  [/serial|asset|service_?tag|sku|part_?number|spare|node_?id|identif|^tag$|barcode/i, 'serial'],
  [/user|login|owner|contact|e-?mail|account_?name|created_?by|locked_?by/i, 'user'],
  [/address|^ip/i, 'address'],
];

/** Returns what a member of that name identifies; null when its name does not say. */
export function identityOf(name: string): Identity | null {
  return IDENTITIES.find(([pattern]) => pattern.test(name))?.[1] ?? null;
}

/** Numbers that identify, or place, a machine. */
export const IDENTIFYING_NUMBER = /serial|asset|latitude|longitude|altitude|phone|express_?service/i;

/** Versions, whose form is that of an IPv4 address. */
export const VERSION = /version$|^registry$|^messageid$|^code$|^@odata\.type$/i;

/** Members whose values are facts of a kind of machine, or words of the schemas. */
const FACTS = new Set(
  `Vendor Manufacturer Model Product RedfishVersion FirmwareVersion BiosVersion ManagerType SystemType ChassisType PowerState
  State Health HealthRollup MediaTypes ConnectedVia TransferProtocolType TransferMethod EjectPolicy EjectTimeout Protocol
  EventType EventTypes EventFormatType EventFormatTypes EventTypesForSubscription SubscriptionType DeliveryRetryPolicy
  RegistryPrefixes RegistryPrefix ResourceTypes ResourceType Severity Severities MessageSeverity MessageId TaskState TaskStatus
  JobState JobStatus DataType AllowableValues ServiceIdentification ManagerFirmwareVersion BootSourceOverrideEnabled
  BootSourceOverrideTarget BootSourceOverrideMode IndicatorLED OverWritePolicy CompletedTaskOverWritePolicy HostingRoles
  LocalAccountAuth RestrictedPrivileges SupportedAccountTypes PrivilegesMap code lang Registry Languages VerifyCertificate
  OEMEventFormatType DateTimeLocalOffset SMTP SyslogFilters ConnectTypesSupported OdataVersion`.split(/\s+/),
);

/** Whether the value of a member may be told. */
export function isFact(name: string): boolean {
  return FACTS.has(name) || /@Redfish\.(AllowableValues|Deprecated|OperationApplyTimeSupport)$/.test(name);
}

/** Members whose values are links. */
export function isLink(name: string): boolean {
  return /^(@odata\.(id|context|nextLink)|.*@odata\.(nextLink|navigationLink)|target|@Redfish\.(ActionInfo|SettingsObject)|TaskMonitor)$|Ur[il]$|URI$/.test(
    name,
  );
}
