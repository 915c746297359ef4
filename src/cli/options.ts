import type { Duration } from '@bufbuild/protobuf/wkt';
import { InvalidArgumentError, Option } from 'commander';
import { Recording } from '../../gen/passthru/v1/passthru_pb.ts';
import { parseDuration } from '../config/duration.ts';
import { readText } from './keyValues.ts';

/** `--limit`; 0 becomes infinite. */
export function limitOption(what: string): Option {
  return new Option('--limit <n>', `maximum number of ${what}; 0 = all`)
    .default(Number.POSITIVE_INFINITY, 'all')
    .argParser((text: string) => {
      if (/^\d{1,9}$/.test(text)) return Number(text) || Number.POSITIVE_INFINITY;
      throw new InvalidArgumentError('Must be a whole number from 0 to 999999999.');
    });
}

/** A repeatable option; its value is the list of values, undefined when absent. */
export function repeatedOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, before: string[] = []) => [...before, value]);
}

/** `--lock-wait`. */
export function lockWaitOption(): Option {
  return new Option(
    '--lock-wait <time>',
    'how long to wait for a locked node, such as 10, 500ms or 2m; 0 = fail at once (default: as configured in the service)',
  ).argParser(readDuration);
}

/** `--for`: how long a node is locked. */
export function lockDurationOption(): Option {
  return new Option(
    '--for <time>',
    'how long to lock the node from now, such as 900, 15m or 2h (default: until it is unlocked)',
  ).argParser(readDuration);
}

/** `--reservation-key`. The environment and a file keep the key out of the list of processes. */
export function reservationKeyOption(): Option {
  return new Option(
    '--reservation-key <key>',
    'the key that node lock printed, or @FILE; better in a file or the variable, as other users see arguments',
  ).env('PASSTHRU_RESERVATION_KEY');
}

/** Resolves the value of `reservationKeyOption`. Throws CommandFailure when its file cannot be read. */
export function reservationKeyOf(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : readText('--reservation-key', text);
}

function readDuration(text: string): DurationMessage {
  const milliseconds = parseDuration(text);
  if (milliseconds === null) throw new InvalidArgumentError('Must be a duration such as 10 (seconds), 500ms or 2m.');
  return { seconds: BigInt(Math.floor(milliseconds / 1000)), nanos: (milliseconds % 1000) * 1_000_000 };
}

const RECORDINGS: Readonly<Record<string, Recording>> = {
  all: Recording.ALL,
  failures: Recording.FAILURES,
  off: Recording.OFF,
};

/** `--record`; the value is that of the contract. */
export function recordOption(): Option {
  const option = new Option(
    '--record [which]',
    'keep the transcript of the call, what the driver and the machine exchanged: all, failures or off (without a value: all; default: as configured in the service)',
  ).preset('all');
  return option.argParser((text: string) => {
    const recording = Object.hasOwn(RECORDINGS, text) ? RECORDINGS[text] : undefined;
    if (recording === undefined)
      throw new InvalidArgumentError(`Must be one of ${Object.keys(RECORDINGS).join(', ')}.`);
    return recording;
  });
}

/** A google.protobuf.Duration. */
export type DurationMessage = Pick<Duration, 'seconds' | 'nanos'>;
