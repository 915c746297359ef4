import { Command, Option } from 'commander';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { type Connection, printsListing, withConnection } from './connection.ts';
import { usageError } from './exitStatus.ts';
import { transcriptLine } from './failure.ts';
import { endWithJob, jobRecord, valueToJson } from './jobRecord.ts';
import { readSecretFile } from './keyValues.ts';
import { type DurationMessage, lockWaitOption, reservationKeyOf, reservationKeyOption } from './options.ts';
import { addOutputOptions, Cell, type Listing, type OutputOptions, printRecord } from './print/output.ts';
import { prompt } from './print/prompt.ts';
import { watchJob } from './watch.ts';

/** Ironic's device types, and the boot devices of the vendor methods that they stand for. */
const DEVICES: Readonly<Record<string, string>> = {
  cdrom: 'cd',
  cd: 'cd',
  dvd: 'dvd',
  disk: 'usb',
  usb: 'usb',
  floppy: 'floppy',
};

const PASSWORD_VARIABLE = 'PASSTHRU_IMAGE_PASSWORD';

interface ChangeOptions extends OutputOptions {
  lockWait?: DurationMessage;
  reservationKey?: string;
  watch?: boolean;
}

interface AttachOptions extends ChangeOptions {
  imageUser?: string;
  imagePasswordFile?: string;
  transferProtocol?: string;
  transferMethod?: string;
  writable?: boolean;
  replace?: boolean;
}

/** `passthru node vmedia attach|detach|show`. */
export function vmediaCommand(): Command {
  return new Command('vmedia')
    .description("Attach, detach and show a node's virtual media")
    .addCommand(attachCommand())
    .addCommand(detachCommand())
    .addCommand(showCommand());
}

function attachCommand(): Command {
  const command = new Command('attach')
    .description('Attach an image as virtual media')
    .argument('<node>', 'UUID or name')
    .argument('<device>', Object.keys(DEVICES).join(', '))
    .argument('<image-url>', 'URL from which the BMC fetches the image')
    .option('--image-user <name>', "user of the image's server")
    .option(
      '--image-password-file <file>',
      `file with that user's password (default: ${PASSWORD_VARIABLE}, else prompted for on a terminal)`,
    )
    .addOption(
      new Option('--transfer-protocol <name>', 'how the BMC fetches the image (default: as the URL says)').choices([
        'HTTP',
        'HTTPS',
        'NFS',
        'CIFS',
        'FTP',
        'SFTP',
        'SCP',
        'TFTP',
      ]),
    )
    .addOption(
      new Option('--transfer-method <name>', 'whether the BMC streams the image or uploads it first').choices([
        'Stream',
        'Upload',
      ]),
    )
    .option('--writable', 'let the machine write to the image')
    .option('--replace', 'eject the image that the device contains');
  return changes<AttachOptions>(command, HELP, async ([node = '', device = '', url = ''], options) => {
    const { transferProtocol, transferMethod, writable, replace } = options;
    const credentials = await readCredentials(options);
    return {
      node,
      method: 'insert_vmedia',
      arguments: {
        image_url: url,
        boot_device: bootDevice(device),
        ...(credentials === null ? {} : { credentials }),
        ...(transferProtocol === undefined ? {} : { transfer_protocol: transferProtocol }),
        ...(transferMethod === undefined ? {} : { transfer_method: transferMethod }),
        ...(writable ? { write_protected: false } : {}),
        ...(replace ? { if_inserted: 'replace' } : {}),
      },
    };
  });
}

const HELP = `
Examples:
  passthru node vmedia attach rack7-node3 cdrom https://images.example/installer.iso --watch
  passthru node vmedia attach rack7-node3 cdrom cifs://files.example/share/installer.iso --image-user operator --replace`;

function detachCommand(): Command {
  const command = new Command('detach')
    .description('Detach virtual media: all devices that contain an image, or those named')
    .argument('<node>', 'UUID or name')
    .argument('[device...]', Object.keys(DEVICES).join(', '));
  return changes<ChangeOptions>(command, '', async ([node = '', ...devices]) => ({
    node,
    method: 'eject_vmedia',
    arguments: { ...(devices.length === 0 ? {} : { boot_devices: devices.map(bootDevice) }) },
  }));
}

function showCommand(): Command {
  const command = new Command('show')
    .description('Show the virtual media devices of a node')
    .argument('<node>', 'UUID or name');
  return printsListing(command, async ({ passthru }, node) => {
    const { outcome } = await passthru.callNodeMethod({ node, method: 'get_vmedia' });
    return mediaListing(outcome.case === 'result' ? valueToJson(outcome.value) : null);
  });
}

interface MediaCall {
  node: string;
  method: string;
  arguments: JsonObject;
}

/** Adds the options of a command that starts a job, and its action. */
function changes<O extends ChangeOptions>(
  command: Command,
  help: string,
  read: (operands: string[], options: O) => Promise<MediaCall>,
): Command {
  command
    .option('--watch', 'follow the job until it ends')
    .addOption(lockWaitOption())
    .addOption(reservationKeyOption());
  return addOutputOptions(command)
    .addHelpText('after', help)
    .action(async () => {
      const options = command.opts<O>();
      const call = await read(command.args, options);
      await withConnection(command, (connection) => run(connection, call, options));
    });
}

async function run(connection: Connection, call: MediaCall, options: ChangeOptions): Promise<void> {
  const reservationKey = reservationKeyOf(options.reservationKey);
  const request = { ...call, lockWait: options.lockWait, reservationKey };
  const { outcome, transcriptId } = await connection.passthru.callNodeMethod(request);
  if (transcriptId !== '') console.error(transcriptLine(transcriptId));
  // Another driver's method may have no job.
  if (outcome.case !== 'job') return;
  const job = options.watch ? await watchJob(connection, outcome.value.id, outcome.value) : outcome.value;
  await printRecord(jobRecord(job), options);
  if (options.watch) endWithJob(job, options);
}

function bootDevice(name: string): string {
  const device = Object.hasOwn(DEVICES, name) ? DEVICES[name] : undefined;
  if (device === undefined) throw usageError(`device ${name}: must be one of ${Object.keys(DEVICES).join(', ')}`);
  return device;
}

/** Reads the password from a file, the environment or the terminal: arguments show in the list of processes. */
async function readCredentials({
  imageUser: username,
  imagePasswordFile: file,
}: AttachOptions): Promise<JsonObject | null> {
  if (username === undefined) {
    if (file !== undefined) throw usageError('--image-password-file requires --image-user');
    return null;
  }
  const given = file === undefined ? process.env[PASSWORD_VARIABLE] : readSecretFile('--image-password-file', file);
  const password = given || (await prompt(`Password of ${username} at the image's server: `));
  if (!password)
    throw usageError(`no password for user ${username}; set --image-password-file or ${PASSWORD_VARIABLE}`);
  return { username, password };
}

function mediaListing(result: Json): Listing {
  const devices = isJsonObject(result) && Array.isArray(result.devices) ? result.devices.filter(isJsonObject) : [];
  return {
    columns: ['Device', 'Media types', 'Inserted', 'Image'],
    empty: 'No virtual media devices.',
    rows: devices.map(({ id = null, media_types: types = [], inserted = null, image = null }) => [
      id,
      new Cell(Array.isArray(types) ? types.join(', ') : '', types),
      inserted,
      image,
    ]),
  };
}
