import { Option } from 'commander';
import { Recording } from '../../gen/passthru/v1/passthru_pb.ts';
import { suggestion } from '../config/problems.ts';
import { usageError } from './exitStatus.ts';
import { visibleValue } from './keyValues.ts';

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
    if (recording === undefined) {
      throw usageError(`--record: ${visibleValue(text)} is not allowed; ${suggestion(text, Object.keys(RECORDINGS))}`);
    }
    return recording;
  });
}
