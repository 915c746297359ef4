import type { Quirk } from '../bmc.ts';

/** OpenSSL 3 speaks these at security level 0 alone. */
const WEAKEST = 'DEFAULT@SECLEVEL=0';

export const tls10: Quirk = {
  name: 'tls-1.0',
  description: 'TLS 1.0 and no other version (old iLO and iDRAC); wants a key and a certificate',
  tls: { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: WEAKEST },
};

export const tls11: Quirk = {
  name: 'tls-1.1',
  description: 'TLS 1.1 and no other version; wants a key and a certificate',
  tls: { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: WEAKEST },
};
