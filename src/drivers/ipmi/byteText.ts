/** Decimal without a leading zero, which ipmitool would read as octal, or hexadecimal. */
const BYTE = /^(?:0x[0-9a-f]{1,2}|0|[1-9][0-9]{0,2})$/i;

/** The byte that `text` says, as `0x00` to `0xff` or 0 to 255; null when it says none. */
export function parseByte(text: string): number | null {
  if (!BYTE.test(text)) return null;
  const value = Number(text);
  return value <= 0xff ? value : null;
}

/** Bytes as `send_raw` takes and answers them: `0x06 0x01`. */
export function formatBytes(bytes: readonly number[]): string {
  return bytes.map((byte) => `0x${byte.toString(16).padStart(2, '0')}`).join(' ');
}
