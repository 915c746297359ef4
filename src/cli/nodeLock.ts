import { type FileHandle, open, rm } from 'node:fs/promises';
import { Command } from 'commander';
import type { LockNodeResponse, Node } from '../../gen/passthru/v1/node_pb.ts';
import { readFault } from '../core/readFault.ts';
import { visible } from '../process/terminalText.ts';
import { withConnection } from './connection.ts';
import { usageError } from './exitStatus.ts';
import {
  type DurationMessage,
  lockDurationOption,
  lockWaitOption,
  reservationKeyOf,
  reservationKeyOption,
} from './options.ts';
import { addOutputOptions, type OutputOptions, orNull, printRecord, timeOrNull, timeText } from './print/output.ts';

interface LockOptions extends Partial<OutputOptions> {
  holder?: string;
  reason?: string;
  for?: DurationMessage;
  lockWait?: DurationMessage;
  saveKey?: string;
}

/** `passthru node lock`. */
export function lockCommand(): Command {
  const command = new Command('lock')
    .description('Reserve a node; calls that need its lock are refused meanwhile, unless they give the key of the lock')
    .argument('<node>', 'UUID or name')
    .option('--reason <text>', 'why, for others who need the node')
    .addOption(lockDurationOption())
    .option('--holder <name>', 'name of the holder (default: your name)')
    .option('--save-key <file>', 'write the key of the lock to a new file that only you can read, and do not print it')
    .addOption(lockWaitOption());
  return addOutputOptions(command, null, 'sentences').action(async (node: string, options: LockOptions) => {
    const { holder, reason, for: duration, lockWait, saveKey } = options;
    const request = { node, holder, reason, duration, lockWait };
    const lock = () => withConnection(command, ({ nodes }) => nodes.lockNode(request));
    const locked = saveKey === undefined ? await lock() : await savingKey(saveKey, lock);
    await printLocked(node, locked, options);
  });
}

/** `passthru node renew`. */
export function renewCommand(): Command {
  const command = new Command('renew')
    .description('Give the lock of a node another duration, from now')
    .argument('<node>', 'UUID or name')
    .addOption(lockDurationOption())
    .addOption(reservationKeyOption());
  return command.action(async (node: string, options: { for?: DurationMessage; reservationKey?: string }) => {
    const request = { node, duration: options.for, reservationKey: reservationKeyOf(options.reservationKey) };
    const renewed = await withConnection(command, ({ nodes }) => nodes.renewLock(request));
    console.log(`Renewed the lock of node ${node}; ${heldBy(renewed.node)}`);
  });
}

/** `passthru node unlock`. */
export function unlockCommand(): Command {
  const command = new Command('unlock')
    .description('Release the reservation of a locked node')
    .argument('<node>', 'UUID or name')
    .addOption(reservationKeyOption());
  return command.action(async (node: string, options: { reservationKey?: string }) => {
    const reservationKey = reservationKeyOf(options.reservationKey);
    const before = await withConnection(command, async ({ nodes }) => {
      const found = await nodes.getNode({ node });
      await nodes.unlockNode({ node, reservationKey });
      return found.node?.reservation;
    });
    console.log(before === undefined ? `Node ${node} was not locked` : `Unlocked node ${node}`);
  });
}

/** Creates `path` before the lock is taken, so that no key is lost, and writes the key to it. */
async function savingKey(path: string, lock: () => Promise<LockNodeResponse>): Promise<LockNodeResponse> {
  let file: FileHandle;
  try {
    file = await open(path, 'wx', 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'EEXIST' ? 'it exists already' : readFault(error);
    throw usageError(`--save-key: ${path} cannot be created: ${why}`);
  }
  try {
    const locked = await lock().catch(async (error: unknown) => {
      await rm(path, { force: true });
      throw error;
    });
    await file.writeFile(`${locked.reservationKey}\n`).catch((error: unknown) => {
      // Better shown than lost: the node is locked.
      console.error(`The reservation key, which could not be written to ${path}: ${locked.reservationKey}`);
      throw error;
    });
    return locked;
  } finally {
    await file.close();
  }
}

async function printLocked(node: string, locked: LockNodeResponse, options: LockOptions): Promise<void> {
  const { format, column, saveKey } = options;
  const { reservation } = locked.node ?? {};
  if (format === undefined && column === undefined) {
    console.log(`Locked node ${node}; ${heldBy(locked.node)}`);
    if (saveKey === undefined) console.log(`Reservation key, shown only here: ${locked.reservationKey}`);
    else console.log(`Reservation key: in ${saveKey} (--reservation-key @${saveKey})`);
    return;
  }
  const record = {
    node: locked.node?.uuid ?? node,
    holder: orNull(reservation?.holder ?? ''),
    reason: orNull(reservation?.reason ?? ''),
    expire_time: timeOrNull(reservation?.expireTime),
    reservation_key: saveKey === undefined ? locked.reservationKey : null,
  };
  await printRecord(record, { format: format ?? 'table', column });
}

function heldBy(node: Node | undefined): string {
  const { holder = '', expireTime } = node?.reservation ?? {};
  const until = expireTime === undefined ? '' : ` until ${timeText(expireTime)}`;
  return `held by ${visible(holder)}${until}`;
}
