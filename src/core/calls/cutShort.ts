import { type ErrorKind, outcomeUnknown, PassthruError, withTranscript } from '../errors.ts';

/** Maps a shutdown or a lost lease during a call that had begun to act to `outcome_unknown`. */
export function ifCutShort(error: unknown): unknown {
  const why = error instanceof PassthruError ? CUT_SHORT[error.kind] : undefined;
  // Not `shutting_down`, which callers repeat by themselves.
  if (why === undefined) return error;
  const { transcriptId } = error as PassthruError;
  const unknown = outcomeUnknown(`${why} while the call ran`);
  return transcriptId === undefined ? unknown : withTranscript(unknown, transcriptId);
}

const CUT_SHORT: Partial<Record<ErrorKind, string>> = {
  shutting_down: 'The service was shut down',
  worker_lost: 'The process that ran the call could not renew its lease on the node',
};
