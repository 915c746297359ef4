import type { BmcState, Quirk, RedfishRequest } from '../bmc.ts';
import { documentType, parentPath } from '../documents.ts';
import type { Message } from '../messages.ts';
import { refuse, refuseAll } from '../messages.ts';
import { actionName, changeShown, objectIn, page } from '../quirk.ts';
import { notAllowed } from '../response.ts';

const INSERT = 'VirtualMedia.InsertMedia';

const IN_USE = JSON.stringify({
  error: {
    '@Message.ExtendedInfo': [
      {
        MessageId: 'IDRAC.2.8.VRM0012',
        Message: 'The virtual media image server is already connected.',
        MessageArgs: [],
        Severity: 'Warning',
      },
    ],
  },
});

/** What BMCs want of an insert, refuse in it, and show of it afterwards. */
export const mediaInsertQuirks: Quirk[] = [
  {
    name: 'insert-refuses-flags',
    description: 'InsertMedia refuses Inserted and WriteProtected (Supermicro X11)',
    handle: (request, bmc, next) => {
      const flags = ['Inserted', 'WriteProtected'].filter((name) => inserts(request, bmc) && name in objectIn(request));
      if (flags.length === 0) return next(request);
      return refuseAll(flags.map((name): Message => ({ name: 'ActionParameterUnknown', args: [INSERT, name] })));
    },
  },
  {
    name: 'insert-wants-protocol',
    description: 'InsertMedia requires TransferProtocolType, and names it in MessageArgs only (Cisco C845A M8)',
    handle: (request, bmc, next) =>
      inserts(request, bmc) && !('TransferProtocolType' in objectIn(request))
        ? refuse('ActionParameterMissing', INSERT, 'TransferProtocolType')
        : next(request),
  },
  {
    name: 'insert-wants-method',
    description:
      'InsertMedia requires TransferProtocolType, then TransferMethod, and names them in a text only (HPE RL300)',
    handle: (request, bmc, next) => {
      const missing = ['TransferProtocolType', 'TransferMethod'].find((name) => !(name in objectIn(request)));
      if (!inserts(request, bmc) || missing === undefined) return next(request);
      const message = `The request cannot be carried out with this ${missing}.`;
      return page(400, 'application/json', JSON.stringify({ error: { code: 'Base.1.8.GeneralError', message } }));
    },
  },
  {
    name: 'insert-wants-credentials',
    description: 'InsertMedia requires a UserName and a Password, also where the image needs none (NVIDIA DGX)',
    handle: (request, bmc, next) => {
      const missing = ['UserName', 'Password'].filter((name) => !objectIn(request)[name]);
      if (!inserts(request, bmc) || missing.length === 0) return next(request);
      return refuseAll(missing.map((name): Message => ({ name: 'ActionParameterMissing', args: [INSERT, name] })));
    },
  },
  {
    name: 'insert-refused-while-full',
    description: 'an insert into a device that contains an image is refused (iDRAC)',
    handle: (request, bmc, next) =>
      inserts(request, bmc) && bmc.documents.get(deviceOf(request, bmc))?.Inserted === true
        ? page(400, 'application/json', IN_USE)
        : next(request),
  },
  {
    name: 'insert-refused-by-first-slot',
    description: 'the first device of a collection takes local media only: an insert gets 400 (Cisco UCS)',
    handle: (request, bmc, next) =>
      insertsIntoFirst(request, bmc) ? refuse('ActionNotSupported', INSERT) : next(request),
  },
  {
    name: 'insert-405-in-first-slot',
    description: 'an insert into the first device of a collection gets 405 (Cisco C845A M8)',
    handle: (request, bmc, next) => (insertsIntoFirst(request, bmc) ? notAllowed('GET, HEAD') : next(request)),
  },
  {
    name: 'insert-patch-wants-inserted',
    description: 'a PATCH of an Image without Inserted is accepted and inserts nothing (Lenovo SD530)',
    handle: (request, bmc, next) => {
      const { Image: image, ...rest } = objectIn(request);
      if (request.method !== 'PATCH' || !inserts(request, bmc) || 'Inserted' in rest) return next(request);
      return next({ ...request, body: JSON.stringify({ Inserted: false }) });
    },
  },
  {
    name: 'image-without-scheme',
    description: 'a device shows its image without scheme, user and query',
    handle: shownImage((image) => image.replace(/^[a-z]+:(?=\/\/)/i, '').replace(/[?#].*$/s, '')),
  },
  {
    name: 'image-hidden',
    description: 'a device shows no image, only that it contains one',
    handle: shownImage(() => null),
  },
  slowInserts(2),
];

/** `reads`: the number of reads of the device that show it as empty after an insert. */
export function slowInserts(reads: number): Quirk {
  const waiting = new WeakMap<BmcState, Map<string, number>>();
  const ofBmc = (bmc: BmcState) => {
    const devices = waiting.get(bmc) ?? new Map<string, number>();
    waiting.set(bmc, devices);
    return devices;
  };
  const hide = changeShown('VirtualMedia', (shown, path, bmc) => {
    const left = ofBmc(bmc).get(path) ?? 0;
    if (left === 0) return shown;
    ofBmc(bmc).set(path, left - 1);
    return { ...shown, Image: null, Inserted: false, ConnectedVia: 'NotConnected' };
  });
  return {
    name: 'insert-slow',
    description: 'a device reports Inserted: false for a while after its insert',
    handle: (request, bmc, next) => {
      const inserted = inserts(request, bmc);
      const response = request.method === 'GET' ? hide(request, bmc, next) : next(request);
      if (inserted && response.status < 300) ofBmc(bmc).set(deviceOf(request, bmc), reads);
      return response;
    },
  };
}

/** Whether the request inserts an image, by the action or by PATCH. */
function inserts(request: RedfishRequest, bmc: BmcState): boolean {
  if (actionName(request, bmc) === INSERT) return true;
  const isDevice = documentType(bmc.documents.get(request.path)) === 'VirtualMedia';
  return request.method === 'PATCH' && isDevice && Boolean(objectIn(request).Image);
}

function deviceOf(request: RedfishRequest, bmc: BmcState): string {
  return bmc.blueprint.actions.get(request.path)?.resource ?? request.path;
}

function insertsIntoFirst(request: RedfishRequest, bmc: BmcState): boolean {
  if (!inserts(request, bmc)) return false;
  const device = deviceOf(request, bmc);
  const members = bmc.documents.get(parentPath(device))?.Members;
  const [first] = Array.isArray(members) ? members : [];
  return (first as { '@odata.id'?: string } | undefined)?.['@odata.id'] === device;
}

function shownImage(change: (image: string) => string | null): NonNullable<Quirk['handle']> {
  return changeShown('VirtualMedia', (shown) =>
    typeof shown.Image === 'string' && shown.Inserted === true ? { ...shown, Image: change(shown.Image) } : shown,
  );
}
