import { createClient } from '@connectrpc/connect';
import { JobService } from '../../../gen/passthru/v1/job_pb.ts';
import { session } from '../session/session.ts';

/** What a call exchanged with its machine (docs/rest.md, "Transcripts"). */
export interface Transcript {
  start_time: string;
  exchanges: readonly Exchange[];
  /** How many exchanges between the first and the last were left out. */
  omitted: number;
}

/** What a driver records of one exchange; that of a Redfish driver has these members, those of others may have none of them. */
export interface Exchange {
  /** Milliseconds after the start. */
  at?: number;
  /** Milliseconds. */
  duration?: number;
  request?: { method?: string; path?: string };
  response?: { status?: number } | null;
  error?: string | null;
}

const client = createClient(JobService, session.transport);

/** Reads the transcript of a job that has ended. Each reading is told to the audit log. */
export async function readTranscript(jobId: string): Promise<Transcript> {
  const { transcript } = await client.getTranscript({ jobId });
  return JSON.parse(new TextDecoder().decode(transcript)) as Transcript;
}
