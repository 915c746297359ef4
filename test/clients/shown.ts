/** What a program prints whose connection is cut besides. */
export const SHOWN = `methods:
  fourth_method_shared_lock, asynchronous
  second_method, asynchronous
  third_method_sync, synchronous
third_method_sync answered true
second_method started a job
third_method_sync was refused: ERROR_REASON_NODE_LOCKED, replica-a holds the node for second_method
the job: JOB_STATE_RUNNING
the stream broke
the stream broke
the job, resumed, with every revision once: JOB_STATE_SUCCEEDED, true
`;

/** What it prints when its connection is not cut. */
export const SHOWN_UNCUT = SHOWN.replace('the stream broke\n', '');
