/** The vendors that are told apart; a BMC may call itself anything. */
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
 * The label for what a BMC says of its vendor: one of a few words, `other`, or `unknown` when it has not said.
 * @param vendor as ServiceRoot.Vendor (DSP2046); null while that is not known
 */
export function vendorLabel(vendor: string | null): string {
  if (vendor === null) return 'unknown';
  return VENDORS.find(([pattern]) => pattern.test(vendor))?.[1] ?? 'other';
}
