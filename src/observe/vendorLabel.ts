/** The vendors with a label of their own. A closed list, because a BMC may report any text. */
const VENDORS: readonly [RegExp, string][] = [
  [/dell/i, 'dell'],
  [/hpe|hewlett/i, 'hpe'],
  [/lenovo/i, 'lenovo'],
  [/super ?micro/i, 'supermicro'],
  [/fujitsu/i, 'fujitsu'],
  [/cisco/i, 'cisco'],
  [/inspur/i, 'inspur'],
  [/huawei|xfusion/i, 'huawei'],
  [/nvidia/i, 'nvidia'],
  [/\bami\b|megatrends/i, 'ami'],
  [/openbmc/i, 'openbmc'],
];

/**
 * Returns the metrics label for a vendor: one of a few words, `other`, or `unknown` when the vendor is not known.
 * @param vendor ServiceRoot.Vendor (DSP2046); null while it has not been read
 */
export function vendorLabel(vendor: string | null): string {
  if (vendor === null) return 'unknown';
  return VENDORS.find(([pattern]) => pattern.test(vendor))?.[1] ?? 'other';
}
