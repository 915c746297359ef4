// The user information of addresses (RFC 3986, 3.2.1), which may hold a password.

/**
 * That of a URL. People also write a password with a character that ends the host: a colon before it that begins no port
 * tells so.
 */
const OF_URL = /(?<=\b[a-z][a-z0-9+.-]*:\/\/)(?:[^\s/?#]*|[^\s/?#@:[]*:(?!\d*(?:[/?#\s]|$))[^\s"'<>]{0,256}?)@/gi;

/** `user:password@host` without a scheme; not `mailto:` and its like, nor `Members@odata.count`. */
const OF_HOST =
  /(?<![\w.%+@-]|:\/\/\[?)(?!(?:mailto|sips?|xmpp|acct|urn|im|pres):)[\w.%+-]+:(?!\/\/)[^\s"'<>]{1,256}@(?!odata\b|Redfish\b|Message\b)(?=[\w[])/gi;

/** Replaces user information in `text` by `mask`. */
export function maskUserInfo(text: string, mask: string): string {
  if (!text.includes('@')) return text;
  return text.replace(OF_URL, `${mask}@`).replace(OF_HOST, `${mask}@`);
}

/** Returns the passwords in user information in `text`, without percent-encoding. */
export function passwordsIn(text: string): string[] {
  if (!text.includes('@')) return [];
  return [...text.matchAll(OF_URL), ...text.matchAll(OF_HOST)].flatMap(([info]) => {
    const colon = info.indexOf(':');
    return colon < 0 ? [] : [decoded(info.slice(colon + 1, -1))];
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
