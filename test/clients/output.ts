/** The output of a program whose connection is cut in addition to the interruption that it causes itself. */
export const OUTPUT = `methods:
  fourth_method_shared_lock, asynchronous, role operator
  log_passthrough, asynchronous, role operator
  second_method, asynchronous, role operator
  third_method_sync, synchronous, role operator
third_method_sync returned true
locked the node: firmware check
third_method_sync with the key returned true
unlocked the node
second_method started a job
third_method_sync was refused: ERROR_REASON_NODE_LOCKED, replica-a holds the node for second_method
job state: JOB_STATE_RUNNING
stream interrupted
stream interrupted
job resumed, each revision received once: JOB_STATE_SUCCEEDED, true
`;

/** The output of a program whose connection is not cut. */
export const OUTPUT_UNCUT = OUTPUT.replace('stream interrupted\n', '');
