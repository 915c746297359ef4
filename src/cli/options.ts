import type { Duration } from '@bufbuild/protobuf/wkt';
import { Option } from 'commander';
import { parseDuration } from '../config/duration.ts';
import { usageError } from './exitStatus.ts';
import { readText, visibleValue } from './keyValues.ts';

/**
 * `--limit`; 0 becomes infinite.
 * @param byDefault what the help says of the default
 */
export function limitOption(what: string, byDefault: string): Option {
  return new Option('--limit <n>', `maximum number of ${what}; 0 = all (default: ${byDefault})`).argParser(
    (text: string) => readWholeNumber('--limit', text, 0, 999_999_999) || Number.POSITIVE_INFINITY,
  );
}

/** Parses the value of `option`. Throws CommandFailure unless it is a whole number from `min` to `max`. */
export function readWholeNumber(option: string, text: string, min: number, max: number): number {
  const number = Number(text);
  if (/^\d{1,15}$/.test(text) && number >= min && number <= max) return number;
  throw usageError(`${option}: ${visibleValue(text)} is not a whole number from ${min} to ${max}`);
}

/** Parses the value of `option` into ms. Throws CommandFailure unless it is a duration above 0 and at most a day. */
export function readTimeout(option: string, text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds !== null && milliseconds > 0 && milliseconds <= 86_400_000) return milliseconds;
  throw usageError(
    `${option}: ${visibleValue(text)} is not a duration such as 90 (seconds), 500ms or 5m, above 0 and at most a day`,
  );
}

/** The global option `--timeout`; its value is in ms. */
export function timeoutOption(): Option {
  return new Option('--timeout <time>', 'give up on a request, or a watch, after this time, such as 30 (seconds) or 2m')
    .env('PASSTHRU_TIMEOUT')
    .argParser((text: string) => readTimeout('--timeout', text));
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
  ).argParser((text: string) => readDuration('--lock-wait', text));
}

/** `--for`: how long a node is locked. */
export function lockDurationOption(): Option {
  return new Option(
    '--for <time>',
    'how long to lock the node from now, such as 900, 15m or 2h (default: until it is unlocked)',
  ).argParser((text: string) => readDuration('--for', text));
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

function readDuration(option: string, text: string): DurationMessage {
  const milliseconds = parseDuration(text);
  if (milliseconds === null) {
    throw usageError(`${option}: ${visibleValue(text)} is not a duration such as 10 (seconds), 500ms or 2m`);
  }
  return { seconds: BigInt(Math.floor(milliseconds / 1000)), nanos: (milliseconds % 1000) * 1_000_000 };
}

/** A google.protobuf.Duration. */
export type DurationMessage = Pick<Duration, 'seconds' | 'nanos'>;
