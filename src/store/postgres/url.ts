import { PassthruError } from '../../core/errors.ts';

/** What the URL of a PostgreSQL database may say after the `?`. */
const PARAMETERS = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'host', 'application_name', 'options'];

const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'];

/** Whether `url` names a PostgreSQL database, rightly or wrongly. */
export function isPostgresUrl(url: string): boolean {
  return /^postgres(ql)?:/.test(url);
}

/**
 * `url` of a PostgreSQL database as node-postgres takes it.
 *
 * @throws kind `invalid_argument` when it is no URL or says what is not known here; the message holds no password
 */
export function toPostgresUrl(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null || !/^postgres(ql)?:\/\//.test(url)) {
    throw wrong('must be postgres://USER@HOST/DATABASE; in a password, characters such as / ? # @ are percent-encoded');
  }
  // A setting that is left unheeded could be the one that the operator relies on.
  for (const name of parsed.searchParams.keys()) {
    if (!PARAMETERS.includes(name)) {
      throw wrong(`'${name.slice(0, 40)}' is not known; after the ? may stand ${PARAMETERS.join(', ')}`);
    }
  }
  const mode = parsed.searchParams.get('sslmode');
  if (mode !== null && !SSL_MODES.includes(mode)) throw wrong(`sslmode must be one of ${SSL_MODES.join(', ')}`);
  if (mode === 'verify-ca' && !parsed.searchParams.has('sslrootcert'))
    throw wrong('sslmode=verify-ca needs sslrootcert');
  // The modes mean what they mean to every other program that takes such a URL. node-postgres 8 gives them meanings of
  // its own, with a warning that this will end.
  if (mode !== null) parsed.searchParams.set('uselibpqcompat', 'true');
  return parsed.href;
}

/** `url`, which `toPostgresUrl` has taken, as it is shown: without password and parameters. */
export function showPostgresUrl(url: string): string {
  const parsed = new URL(url);
  parsed.password = '';
  parsed.search = '';
  parsed.hash = '';
  return parsed.href;
}

function wrong(what: string): PassthruError {
  return new PassthruError('invalid_argument', `store: the PostgreSQL URL is not right: ${what}`);
}
