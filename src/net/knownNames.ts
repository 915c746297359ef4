/** The names of this machine in the hosts files of distributions, besides `localhost` and what is below it (RFC 6761, 6.3). */
const LOCAL_NAMES: ReadonlySet<string> = new Set([
  'localhost.localdomain',
  'localhost4',
  'localhost4.localdomain4',
  'localhost6',
  'localhost6.localdomain6',
  'ip6-localhost',
  'ip6-loopback',
  'loopback',
]);

/** The names of the metadata services of clouds, which give credentials to any client (the clouds' own documentation). */
const METADATA_NAMES: ReadonlySet<string> = new Set([
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'instance-data',
  'instance-data.ec2.internal',
  'metadata.azure.internal',
  'metadata.tencentyun.com',
  'metadata.packet.net',
  'metadata.platformequinix.com',
  'api.metadata.cloud.ibm.com',
]);

/**
 * Returns the address by which to judge a name that leads to the machine itself or to a metadata service wherever it is
 * resolved, so that it needs no resolver here; null for other names.
 */
export function knownAddress(host: string): '127.0.0.1' | '169.254.169.254' | null {
  const name = host.toLowerCase().replace(/\.+$/, '');
  if (name === 'localhost' || name.endsWith('.localhost') || LOCAL_NAMES.has(name)) return '127.0.0.1';
  return METADATA_NAMES.has(name) ? '169.254.169.254' : null;
}
