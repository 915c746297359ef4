import { z } from 'zod';
import { invalidArgument } from '../../core/errors.ts';
import { defineMethod, type Method } from '../../core/method.ts';
import type { NodeTask } from '../../core/task.ts';
import type { Destinations } from '../../net/destinations.ts';
import { insertMedia, type Medium, protocolOf } from '../../redfish/index.ts';
import type { UseBmc } from './bmcAccess.ts';
import { bootDevice, mediaTypesOf } from './bootDevices.ts';
import { reasonText } from './unreadablePart.ts';

/** The values of TransferProtocolType and TransferMethod (DSP2046, VirtualMedia). */
const PROTOCOLS = ['HTTP', 'HTTPS', 'NFS', 'CIFS', 'FTP', 'SFTP', 'SCP', 'TFTP'] as const;
const METHODS = ['Stream', 'Upload'] as const;

const MAX_URL = 2048;

/** Without a scheme: `//HOST/PATH` (CIFS) and `HOST:/PATH` (NFS), as some BMCs want them. */
const SHARE = /^(?:\/\/(?<cifs>[^/:@?#]+)\/.|(?<nfs>\[[0-9a-f:.]+\]|[^/:@?#]+):\/[^/])/i;

const imageUrl = z
  .string({ error: 'image_url must be a URL' })
  .max(MAX_URL, `image_url must have ${MAX_URL} characters at most`)
  .refine((text) => /^[^\s\p{Cc}\\]+$/u.test(text) && (protocolOf(text) === null ? SHARE.test(text) : hasHost(text)), {
    error: `image_url must be a URL with a host, of the scheme http, https, nfs, cifs, smb, ftp, sftp, scp or tftp; or //HOST/PATH or HOST:/PATH with transfer_protocol`,
  });

/** The credentials of the server of the image: a secret by its name, with all that it contains. */
const credentials = z.strictObject({
  username: z.string().optional().describe('The user name; an empty one counts as absent'),
  password: z.string().optional().describe('The password; an empty one counts as absent'),
});

/**
 * Makes `insert_vmedia`, which Ironic has as `POST /v1/nodes/N/vmedia` instead.
 * @param destinations restricts from where a BMC may fetch an image; default: from anywhere
 */
export function insertMethod(useBmc: UseBmc, destinations?: Destinations): Method<NodeTask> {
  return defineMethod({
    name: 'insert_vmedia',
    httpMethods: ['POST'],
    description:
      "Insert an image into a virtual media device. Required argument: 'image_url'. Optional arguments: 'boot_device' - " +
      "the device, either 'cd' (default), 'dvd', 'usb', or 'floppy'; 'credentials' of the image's server; " +
      "'transfer_protocol'; 'transfer_method'; 'write_protected'; 'if_inserted' - 'refuse' (default) or 'replace'",
    async: true,
    listedFrom: null,
    arguments: z.object({
      image_url: imageUrl.describe('The image, which the BMC fetches. Required'),
      boot_device: bootDevice().default('cd').describe('The kind of device. cd includes DVD drives'),
      credentials: credentials
        .optional()
        .describe('What the BMC gives the server of the image; never shown, stored or logged'),
      transfer_protocol: z
        .enum(PROTOCOLS)
        .optional()
        .describe('Default: none is sent, unless the BMC asks for it; then that of the URL'),
      transfer_method: z
        .enum(METHODS)
        .optional()
        .describe('Whether the BMC streams the image or uploads it first. Default: as the BMC does'),
      write_protected: z.boolean().default(true).describe('Whether the machine may not write to the image'),
      if_inserted: z
        .enum(['refuse', 'replace'])
        .default('refuse')
        .describe(
          'When every such device contains another image: with "refuse" the call fails, as in Ironic; with "replace" the first is ejected before',
        ),
    }),
    result: z.object({
      device: z.object({ id: z.string(), path: z.string(), media_types: z.array(z.string()) }),
      outcome: z
        .enum(['inserted', 'unchanged'])
        .describe('unchanged: the device contained this image already, and nothing was sent'),
      replaced: z.boolean().describe('Whether the device contained another image, which was ejected'),
      refused: z
        .array(z.object({ id: z.string(), path: z.string(), reason: z.string() }))
        .describe('The devices that were tried before, with the words of the BMC'),
    }),
    async handler(task: NodeTask, args) {
      const { image_url: image, transfer_protocol: protocol, transfer_method: method, credentials: account } = args;
      if (protocolOf(image) === null && protocol === undefined) {
        throw invalidArgument(
          'arguments.transfer_protocol',
          'transfer_protocol is required for an image_url without a scheme',
        );
      }
      await destinations?.checkUrl('image_url', urlOf(image), task.signal);
      const medium: Medium = {
        image,
        transferProtocol: protocol ?? null,
        transferMethod: method ?? null,
        writeProtected: args.write_protected,
        credentials: { username: account?.username || null, password: account?.password || null },
      };
      const secrets = Object.values(medium.credentials).filter((secret) => secret !== null);
      const { slot, outcome, replaced, refused } = await useBmc(
        task,
        'Failed to insert virtual media on',
        (client, systemPath) =>
          insertMedia(client.with({ secrets }), systemPath, medium, {
            mediaTypes: mediaTypesOf([args.boot_device]),
            ifInserted: args.if_inserted,
            progress: (fraction, message) => task.progress(fraction, message),
          }),
      );
      return {
        device: { id: slot.id, path: slot.path, media_types: slot.mediaTypes },
        outcome,
        replaced,
        refused: refused.map((each) => ({
          id: each.slot.id,
          path: each.slot.path,
          reason: reasonText(each.reason),
        })),
      };
    },
  });
}

function hasHost(url: string): boolean {
  return /^[a-z]+:\/\/(?:[^/?#@]*@)?[^/?#@]+/i.test(url);
}

/** Returns an image's URL; one of its host where it is the path of a share. */
function urlOf(image: string): string {
  if (protocolOf(image) !== null) return image;
  const { cifs, nfs } = SHARE.exec(image)?.groups ?? {};
  return cifs === undefined ? `nfs://${nfs}/` : `cifs://${cifs}/`;
}
