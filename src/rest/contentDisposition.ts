/**
 * The header that lets a client save an attachment (RFC 6266): with `filename` for all, in ASCII, and `filename*`
 * (RFC 8187) when the name has more. Directories and control characters are taken out of the name.
 */
export function contentDisposition(fileName: string | null): string {
  const name = plainName(fileName ?? '');
  if (name === '') return 'attachment';
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const plain = `attachment; filename="${ascii}"`;
  return ascii === name ? plain : `${plain}; filename*=UTF-8''${encodeExtended(name)}`;
}

/** A media type that may stand in a header; `application/octet-stream` in place of one that is none (RFC 9110, 8.3.1). */
export function safeMediaType(mediaType: string): string {
  const isOne =
    /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+([ \t]*;[ \t]*[\w!#$&^.+-]+=([\w!#$&^.+-]+|"[\x20\x21\x23-\x5b\x5d-\x7e]*"))*$/.test(
      mediaType,
    );
  return isOne ? mediaType : 'application/octet-stream';
}

function plainName(fileName: string): string {
  const base = fileName.toWellFormed().split(/[/\\]/).at(-1) ?? '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  const name = base.replace(/[\u0000-\u001f\u007f-\u009f]/g, '').trim();
  return name === '.' || name === '..' ? '' : name;
}

/** Percent-encodes all but the attr-char of RFC 8187, 3.2.1. */
function encodeExtended(text: string): string {
  return encodeURIComponent(text).replace(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
