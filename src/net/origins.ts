/** An address or `localhost`, and maybe a port: names that no DNS server of a stranger gives to this machine. */
const LOCAL_AUTHORITY = /^(?:localhost|\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i;

/**
 * Tells whether the page that a browser sends a request for may call the service; whoever sends no Origin is no browser.
 * A page may when its origin is configured, or when it is the service's own: under an address or `localhost` alone,
 * because a stranger's page can have its own name point to this machine (DNS rebinding), and is then of the same origin.
 * @param origins the origins that are allowed; `*` allows all
 */
export function createOriginGate(
  origins: readonly string[],
): (origin: string | undefined, authority: string | undefined) => boolean {
  const all = origins.includes('*');
  const allowed = new Set(origins);
  return (origin, authority) => {
    if (origin === undefined || all || allowed.has(origin)) return true;
    if (authority === undefined || !LOCAL_AUTHORITY.test(authority)) return false;
    return origin === `http://${authority}` || origin === `https://${authority}`;
  };
}
