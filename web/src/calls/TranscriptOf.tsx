import type { JsonValue } from '@bufbuild/protobuf';
import { useMutation } from '@tanstack/react-query';
import { readTranscript } from '../jobs/transcript.ts';
import { useChanges } from '../parts/emitter.ts';
import { GuardedButton } from '../parts/GuardedButton.tsx';
import { JsonView } from '../parts/JsonView.tsx';
import { hasRole, session } from '../session/session.ts';
import { texts } from '../texts.ts';
import { failureOf } from './failure.ts';

/** What a call exchanged with its machine, read when someone asks for it. */
export function TranscriptOf({ id }: { id: string }) {
  useChanges(session);
  const { data, error, isPending, mutate } = useMutation({ mutationFn: () => readTranscript(id) });
  if (data !== undefined) {
    return (
      <section aria-label={texts.calls.transcriptTitle}>
        <h3>{texts.calls.transcriptTitle}</h3>
        <JsonView label={texts.calls.transcriptTitle} value={data as unknown as JsonValue} />
      </section>
    );
  }
  const reason = hasRole(session.state, 'operator') ? null : texts.needsRole('operator');
  return (
    <>
      <GuardedButton reason={reason} onClick={() => isPending || mutate()}>
        {texts.calls.transcript}
      </GuardedButton>
      {error !== null && <p role="alert">{failureOf(error).message}</p>}
    </>
  );
}
