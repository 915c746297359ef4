// Destinations: URLs of any scheme, which BMCs spell anew when they show them.

/** Ports that a URL may leave out. */
const DEFAULT_PORTS: Record<string, string> = { http: '80', https: '443' };

/**
 * Whether two URLs are the same one (RFC 3986, 6.2): the case of scheme and host, a default port, an empty path, the form of
 * an IP address and the encoding of characters that need none do not count.
 */
export function sameUrl(a: string, b: string): boolean {
  return a === b || canonical(a) === canonical(b);
}

/** Returns the URLs in a text, as a BMC quotes them in its messages. */
export function urlsIn(text: string): string[] {
  return [...text.matchAll(/[a-z][a-z0-9+.-]{0,30}:\/\/[^\s"'<>,;)\\]+/gi)].map(([url]) => url.replace(/\.$/, ''));
}

function canonical(text: string): string {
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(text.trim()) ?? [];
  if (scheme === undefined || rest === undefined) return text.trim();
  const name = scheme.toLowerCase();
  const parts = /^\/\/(?:([^/?#]*)@)?([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(rest);
  // `mailto:Name@HOST`: only the host ignores case (RFC 5321, 2.4).
  if (parts === null) return `${name}:${plain(rest).replace(/@[^?]*/, (host) => host.toLowerCase())}`;
  const [, user, authority = '', path = '', query = '', fragment = ''] = parts;
  const identity = user === undefined ? '' : `${plain(user)}@`;
  const search = query === '?' ? '' : plain(query);
  return `${name}://${identity}${hostOf(authority, name)}${pathOf(path)}${search}${plain(fragment)}`;
}

function hostOf(authority: string, scheme: string): string {
  const [, host = authority, port = ''] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(authority) ?? [];
  const number = port.replace(/^0+(?=\d)/, '');
  // Of `http`, so that an address has its shortest form in any scheme.
  const name = URL.parse(`http://${host}`)?.hostname ?? host.toLowerCase();
  return number === '' || number === DEFAULT_PORTS[scheme] ? name : `${name}:${number}`;
}

function pathOf(path: string): string {
  return plain(URL.parse(`http://host${path === '' ? '/' : path}`)?.pathname ?? path);
}

/** Decodes the characters that need no encoding (RFC 3986, 2.3), encodes those that a URL may not contain, and unifies hex. */
function plain(text: string): string {
  const encoded = text.replace(/[^\x21-\x7e]|["<>\\^`{|}]/gu, (one) => encodeURIComponent(one.toWellFormed()));
  return encoded.replace(/%([0-9a-f]{2})/gi, (whole, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : whole.toUpperCase();
  });
}
