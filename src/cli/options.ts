import { InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../config/duration.ts';

/** `--limit`; its value is infinite for all. */
export function limitOption(what: string): Option {
  return new Option('--limit <n>', `at most so many ${what}; 0 for all`)
    .default(Number.POSITIVE_INFINITY, 'all')
    .argParser((text: string) => {
      if (/^\d{1,9}$/.test(text)) return Number(text) || Number.POSITIVE_INFINITY;
      throw new InvalidArgumentError('It is a whole number.');
    });
}

/** An option that may be given several times; its value is the list of what was given, undefined when nothing was. */
export function repeatedOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(gather);
}

/** `--lock-wait`. */
export function lockWaitOption(): Option {
  return new Option(
    '--lock-wait <time>',
    'how long to wait for a locked node: 10, 500ms, 2m; 0 fails at once; else as the service is configured',
  ).argParser((text: string) => {
    const milliseconds = parseDuration(text);
    if (milliseconds !== null) return toDuration(milliseconds);
    throw new InvalidArgumentError('It is a time such as 10 (seconds), 500ms or 2m.');
  });
}

/** A google.protobuf.Duration. */
export interface DurationMessage {
  seconds: bigint;
  nanos: number;
}

function toDuration(milliseconds: number): DurationMessage {
  return { seconds: BigInt(Math.floor(milliseconds / 1000)), nanos: (milliseconds % 1000) * 1_000_000 };
}

function gather(value: string, before: string[] = []): string[] {
  return [...before, value];
}
