const NONE: readonly string[] = [];

/** Returns the header that names the transcript of a synchronous call, if one was kept. */
export function transcriptHeader(id: string | undefined): readonly string[] {
  return id === undefined ? NONE : ['Passthru-Transcript', `/v1/jobs/${id}/transcript`];
}
