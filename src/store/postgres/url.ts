import { PassthruError } from '../../core/errors.ts';

/** The query parameters that are allowed in a PostgreSQL URL. */
const PARAMETERS = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'host', 'application_name', 'options'];

const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'];

/** Whether `url` has a PostgreSQL scheme; it may still be invalid. */
export function isPostgresUrl(url: string): boolean {
  return /^postgres(ql)?:/.test(url);
}

/**
 * Returns `url` in the form that node-postgres expects.
 *
 * @throws kind `invalid_argument` when it is not a URL or has an unknown parameter; the message holds no password
 */
export function toPostgresUrl(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null || !/^postgres(ql)?:\/\//.test(url)) {
    throw wrong('must be postgres://USER@HOST/DATABASE; in a password, characters such as / ? # @ are percent-encoded');
  }
  // An ignored parameter could be the one that the operator relies on.
  for (const name of parsed.searchParams.keys()) {
    if (!PARAMETERS.includes(name)) {
      throw wrong(`'${name.slice(0, 40)}' is an unknown parameter; allowed are ${PARAMETERS.join(', ')}`);
    }
  }
  const mode = parsed.searchParams.get('sslmode');
  if (mode !== null && !SSL_MODES.includes(mode)) throw wrong(`sslmode must be one of ${SSL_MODES.join(', ')}`);
  if (mode === 'verify-ca' && !parsed.searchParams.has('sslrootcert'))
    throw wrong('sslmode=verify-ca requires sslrootcert');
  // The modes as libpq defines them. node-postgres 8 defines them differently and warns that this will end.
  if (mode !== null) parsed.searchParams.set('uselibpqcompat', 'true');
  return parsed.href;
}

/** Returns a valid `url` without password and parameters, for display. */
export function showPostgresUrl(url: string): string {
  const parsed = new URL(url);
  parsed.password = '';
  parsed.search = '';
  parsed.hash = '';
  return parsed.href;
}

function wrong(what: string): PassthruError {
  return new PassthruError('invalid_argument', `store: invalid PostgreSQL URL: ${what}`);
}
