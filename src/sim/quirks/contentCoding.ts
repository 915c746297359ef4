import type { Quirk } from '../bmc.ts';
import { ROOT } from '../bmc.ts';

/** Its registries lie compressed, and it will not unpack them. */
export const registriesNotIdentity: Quirk = {
  name: 'registries-not-identity',
  description: 'registries get 406 for Accept-Encoding: identity (HPE Gen10 Plus)',
  handles: (request, _bmc, next) => {
    const wanted = request.headers['accept-encoding'];
    const registry =
      request.path.startsWith(`${ROOT}/Registries/`) || request.path.startsWith(`${ROOT}/RegistryStore/`);
    if (!registry || wanted !== 'identity') return next(request);
    return { status: 406, headers: { 'Content-Type': 'text/html' }, body: '<h1>406 Not Acceptable</h1>' };
  },
};
