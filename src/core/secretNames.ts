// Which names mean a secret: in driver_info, arguments, headers, configuration, documents, logs and traces.

/** Texts that make a name that of a secret wherever they stand in it, without separators and in lower case. */
const WITHIN =
  /passw|pswd|passphrase|passcode|passkey|secret(?!ary|ari)|token(?!i[sz])|credential|privatekey|httpheaders|cookie|bearer|authorization|community|connectionstring/;

/** Ends of names without separators, where no boundary shows: `apikey`, `rootpw`, `authtoken`. */
const AT_THE_END = new RegExp(
  [
    '(?:api|access|private|priv|secret|auth|authentication|encryption|encrypt|decryption|signing|shared|master|session|client|server|ssh|rsa|hmac|aes|account|security|subscription|license|licence|recovery|reservation|kg)keys?$',
    '(?<!by|com|tres|over|under|sur|im)pass$',
    'pwd$',
    '(?:^|root|user|admin|bmc|db|ipmi|login|my)pw$',
    'creds?$(?<!sacred)',
    'ipmikg$',
    '(?:auth|access|security|recovery|backup|pairing|activation|unlock)codes?$',
    'session(?:id|cookie|data)$',
    '^(?:basic|http|proxy|registry)auth$',
    'id(?:rsa|dsa|ecdsa)$',
    '^pin$',
  ].join('|'),
);

/** Words that alone make a name that of a secret. */
const WORDS = new Set('pwd pw psk cred creds otp totp keytab signature sig jwt'.split(' '));

/** What a key is for when it is not secret; any other `…_key` is. `key` alone is not either. */
const OPEN_KEYS = new Set(
  'public pub authorized trusted primary foreign sort partition cache idempotency object lookup index unique routing shard group message config setting map hot registry'.split(
    ' ',
  ),
);

/** Last words of names that tell about a secret, but do not hold it: `password_policy`, `token_type`, `key_file`. */
const ABOUT = new Set(
  'policy policies type types length len size expiry expires expired expiration lifetime timeout ttl age count required enabled disabled supported allowed algorithm complexity history attempts format status state strength version date time file filename path name url uri endpoint'.split(
    ' ',
  ),
);

/** Names that a driver declares to be those of secrets, without separators and in lower case. */
const declared = new Set<string>();

/** Bounds the memory and the time for names, which callers choose. */
const MAX_KNOWN = 2000;
const MAX_LENGTH = 200;
const known = new Map<string, boolean>();

/** Makes `names` those of secrets for the rest of the process, in any spelling. */
export function declareSecretNames(names: Iterable<string>): void {
  for (const name of names) declared.add(joined(name));
  known.clear();
}

/** Whether a member called `name` holds a secret, however its words are joined: `api_key`, `api-key`, `apiKey`, `APIKEY`. */
export function isSecretName(name: string): boolean {
  const seen = known.get(name);
  if (seen !== undefined) return seen;
  const secret = judge(name);
  if (name.length <= MAX_LENGTH) {
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(name, secret);
  }
  return secret;
}

function judge(name: string): boolean {
  // No name, but a text that a caller or a machine put in the place of one.
  if (name.length > MAX_LENGTH) return WITHIN.test(name.toLowerCase());
  const plain = joined(name);
  // Their numbers are part of the name.
  if (declared.has(plain) || /ided25519\d*$/.test(plain)) return true;
  const whole = squash(name);
  const words = wordsOf(name);
  const last = words.at(-1) ?? '';
  // Its name is all that a community has.
  if (whole.includes('community')) return true;
  if (ABOUT.has(last) && words.length > 1) return false;
  if (WITHIN.test(whole) || AT_THE_END.test(whole) || words.some((word) => WORDS.has(word))) {
    return !isOpenKey(words);
  }
  return words.length > 1 && isKey(last) && !isOpenKey(words);
}

function isKey(word: string): boolean {
  return word === 'key' || word === 'keys';
}

function isOpenKey(words: readonly string[]): boolean {
  return isKey(words.at(-1) ?? '') && OPEN_KEYS.has(words.at(-2) ?? '');
}

/** Returns the words of a name in lower case, without numbers at its end. */
function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])|([A-Z])(?=[A-Z][a-z])/g, '$1$3 $2')
    .replace(/([A-Za-z])(?=\d+$)/, '$1 ')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word, index, all) => word !== '' && !(/^\d+$/.test(word) && index === all.length - 1));
}

/** Returns a name in lower case without separators. */
function joined(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '');
}

/** Does the same without numbers at the end. */
function squash(name: string): string {
  return joined(name).replace(/\d+$/, '');
}
