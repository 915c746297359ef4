/** Hexadecimal, or decimal without a leading zero, which ipmitool would read as octal. */
const BYTE = /^(?:0x[0-9a-f]{1,2}|0|[1-9][0-9]{0,2})$/i;

/** Parses a byte, `0x00` to `0xff` or 0 to 255. Returns null when `text` is neither. */
export function parseByte(text: string): number | null {
  if (!BYTE.test(text)) return null;
  const value = Number(text);
  return value <= 0xff ? value : null;
}

/** Formats bytes as `send_raw` takes and returns them: `0x06 0x01`. */
export function formatBytes(bytes: readonly number[]): string {
  return bytes.map((byte) => `0x${byte.toString(16).padStart(2, '0')}`).join(' ');
}
