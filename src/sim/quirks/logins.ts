import type { CredentialsFault, Quirk, RedfishRequest, RedfishResponse } from '../bmc.ts';
import { ROOT } from '../bmc.ts';
import { challenge, isBasicAccount, refusal } from '../credentials.ts';
import type { Message } from '../messages.ts';
import { refuse, refuseAll, refuseAsVendor } from '../messages.ts';
import { changeAll, page } from '../quirk.ts';

const UNAUTHORIZED = '<html><head><title>401 Authorization Required</title></head><body>nginx</body></html>';

const BAD_PASSWORD: Message = { name: 'PropertyValueFormatError', args: ['******', 'Password'], property: 'Password' };

/** Log-ins that are refused although the password is right, and the responses to a wrong one. */
export const loginQuirks: Quirk[] = [
  noLogin('401', '401 with a challenge for Basic (gofish#102)', () => challenge(refuse('AccessDenied', ROOT))),
  noLogin('400', '400 with a text', () => page(400, 'text/plain', 'Sessions are not available')),
  noLogin('403', '403 ServiceDisabled', () => ({
    ...refuse('ServiceDisabled', `${ROOT}/SessionService`),
    status: 403,
  })),
  noLogin('405', '405', () => refuse('OperationNotAllowed')),
  noLogin('500', '500 InternalError', () => refuse('InternalError')),
  noLogin('501', '501 in HTML', () => page(501, 'text/html', '<h1>Not Implemented</h1>')),
  noLogin('licence', '403, as the licence lacks them', () =>
    refuseAsVendor(403, { id: 'iLO.2.14.LicenseKeyRequired', text: 'A license key is required.' }),
  ),
  {
    ...noLogin('disabled', '503; ServiceEnabled of the session service is false', () =>
      refuse('ServiceDisabled', `${ROOT}/SessionService`),
    ),
    name: 'sessions-disabled',
    changeDocuments: (documents) =>
      changeAll(documents, 'SessionService', (service) => ({
        ...service,
        ServiceEnabled: false,
        Status: { State: 'Disabled' },
      })),
  },
  {
    name: 'basic-front-end',
    description: 'a web server in front wants Basic for every path, and gives 401 in HTML to all else (nginx)',
    beforeAuthentication: (request, bmc) =>
      bmc.accounts === null || isBasicAccount(bmc, request.headers)
        ? undefined
        : refusal(challenge(page(401, 'text/html', UNAUTHORIZED)), faultOf(request), request, bmc),
  },
  wrongPassword('401-html', '401 in HTML', () => challenge(page(401, 'text/html', UNAUTHORIZED))),
  wrongPassword('401-empty', '401 without body and challenge', () => ({ status: 401, headers: {}, body: null })),
  wrongPassword('401-idrac', "401 with iDRAC's RAC0212", () =>
    challenge(refuseAsVendor(401, { id: 'IDRAC.2.8.RAC0212', text: 'Login failed. Verify that the name is valid.' })),
  ),
  wrongPassword('403', '403 AccessDenied', () => ({ ...refuse('AccessDenied', ROOT), status: 403 })),
  wrongPassword('403-resource', '403 ResourceAtUriUnauthorized', () => unauthorizedLogin(403)),
  wrongPassword('400', "400 with iLO's UnauthorizedLoginAttempt", () =>
    refuseAsVendor(400, { id: 'iLO.2.14.UnauthorizedLoginAttempt', text: 'The login attempt was not authorized.' }),
  ),
  {
    name: 'wrong-password-400-value',
    description: 'a log-in with a wrong password gets 400 PropertyValueFormatError for it',
    refuseCredentials: (refused, fault, { method }) =>
      fault === 'password' && method === 'POST' ? refuseAll([BAD_PASSWORD]) : refused,
  },
];

function faultOf({ headers }: RedfishRequest): CredentialsFault {
  return headers.authorization === undefined ? 'missing' : 'password';
}

function unauthorizedLogin(status: number): RedfishResponse {
  return refuseAsVendor(status, {
    id: 'Base.1.18.ResourceAtUriUnauthorized',
    text: 'While accessing the resource at /redfish/v1/SessionService/Sessions, the service received an authorization error.',
    args: [`${ROOT}/SessionService/Sessions`, 'authorization failed'],
  });
}

/** Makes a quirk whose BMC opens no session. Basic works. */
function noLogin(form: string, response: string, make: () => RedfishResponse): Quirk {
  return {
    name: `log-in-${form}`,
    description: `every log-in gets ${response}; Basic works`,
    beforeAuthentication: (request, bmc) =>
      request.method === 'POST' && request.path === bmc.blueprint.sessions ? make() : undefined,
  };
}

function wrongPassword(form: string, response: string, make: () => RedfishResponse): Quirk {
  return {
    name: `wrong-password-${form}`,
    description: `a wrong password gets ${response}`,
    refuseCredentials: (refused, fault) => (fault === 'password' ? make() : refused),
  };
}
