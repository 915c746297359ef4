import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { afterEach, expect, test, vi } from 'vitest';
import { type Job, JobSchema, JobState } from '../../gen/passthru/v1/job_pb.ts';
import type { Connection } from '../../src/cli/connection.ts';
import { findJobId } from '../../src/cli/jobId.ts';
import { jobListing } from '../../src/cli/jobRecord.ts';
import { watchJob } from '../../src/cli/watch.ts';

const ID = '01a22922-2cc3-7000-a39d-2d0ed27dd8d0';

// The seconds between attempts pass at once.
let now = 0;
vi.mock('node:timers/promises', () => ({
  setTimeout: async (ms: number) => {
    now += ms;
  },
}));
vi.spyOn(performance, 'now').mockImplementation(() => now);

afterEach(() => {
  vi.restoreAllMocks();
  vi.spyOn(performance, 'now').mockImplementation(() => now);
});

function job(state: JobState, revision: bigint, message = ''): Job {
  const progress = { fraction: 0.8, message };
  const endTime = state === JobState.RUNNING ? undefined : timestampFromDate(new Date('2026-01-02T03:04:05.678Z'));
  return create(JobSchema, { id: ID, nodeName: 'rf-1', method: 'eject', state, revision, progress, endTime });
}

/** A service whose streams are `streams` in turn, and after the last one broken. */
function service(streams: (Job | Error)[][], timeout: number | null = null) {
  const requests: unknown[] = [];
  async function* watch(request: unknown) {
    requests.push(request);
    for (const message of streams.shift() ?? [new ConnectError('gone', Code.Unavailable)]) {
      if (message instanceof Error) throw message;
      yield { job: message };
    }
  }
  const connection = { passthru: { watchJob: watch }, timeout } as unknown as Connection;
  return { connection, requests };
}

function standardError(): () => string {
  const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  return () => written.mock.calls.map(([text]) => String(text).replace(/^\d{4}-\S+Z /, '')).join('');
}

test('a watch prints the id first, says when it lost the service, and resumes where it broke', async () => {
  const written = standardError();
  const broken = new ConnectError('gone', Code.Unavailable);
  const { connection, requests } = service([
    [job(JobState.RUNNING, 1n, 'half\u009b2Jway'), broken],
    [broken],
    [broken],
    [job(JobState.RUNNING, 2n, 'on'), job(JobState.SUCCEEDED, 3n)],
  ]);
  expect(await watchJob(connection, ID)).toMatchObject({ state: JobState.SUCCEEDED });
  expect(written()).toBe(
    [
      `job ${ID}: eject on rf-1`,
      'eject running 80% half\\x9b2Jway',
      'connection lost, reconnecting',
      'connected again',
      'eject running 80% on',
      'eject succeeded',
      '',
    ].join('\n'),
  );
  expect(requests).toEqual([undefined, 1n, 1n, 1n].map((afterRevision) => ({ jobId: ID, afterRevision })));
});

test('a watch whose service does not return ends with status 5 and how to go on', async () => {
  standardError();
  const { connection, requests } = service([]);
  await expect(watchJob(connection, ID, job(JobState.RUNNING, 1n))).rejects.toMatchObject({
    status: 5,
    message: `the service did not return within 60 s; the job may still be running.
  Follow it:  passthru job watch ${ID}
  Stop it:    passthru job cancel ${ID}`,
  });
  expect(requests.length).toBeGreaterThan(50);
});

test('a watch that was never connected, or is refused, fails at once with the reason', async () => {
  standardError();
  const gone = new ConnectError('gone', Code.Unavailable);
  await expect(watchJob(service([[gone]]).connection, ID)).rejects.toBe(gone);
  const refused = new ConnectError('no', Code.PermissionDenied);
  const { connection, requests } = service([[refused]]);
  await expect(watchJob(connection, ID, job(JobState.RUNNING, 1n))).rejects.toBe(refused);
  expect(requests).toHaveLength(1);
});

test('an ended job is printed with the time of its end', async () => {
  const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  await watchJob(service([]).connection, ID, job(JobState.FAILED, 9n));
  expect(written.mock.calls.map(([text]) => text)).toContain('2026-01-02T03:04:05.678Z eject failed\n');
});

test('a job that succeeded is complete in tables, whatever its driver reported last', () => {
  const cell = (state: JobState) => jobListing([job(state, 1n, 'switching on')], '').rows[0]![5];
  expect(cell(JobState.SUCCEEDED)).toMatchObject({ text: '100%', json: { fraction: 0.8, message: 'switching on' } });
  // Of another it is useful to know how far it came.
  for (const state of [JobState.RUNNING, JobState.FAILED, JobState.CANCELLED]) {
    expect(cell(state)).toMatchObject({ text: '80% switching on' });
  }
});

test('the beginning of an id stands for a job if no other of the newest begins so', async () => {
  const others = ['01a22922-3000-7000-a39d-2d0ed27dd8d0', '01a22922-3000-7000-a39d-2d0ed27dd8d1'];
  const jobs = [ID, ...others].map((id) => create(JobSchema, { id, method: 'eject', driver: 'redfish' }));
  const listJobs = vi.fn(async () => ({ jobs }));
  const connection = { jobs: { listJobs } } as unknown as Connection;
  expect(await findJobId(connection, '01A22922-2')).toBe(ID);
  await expect(findJobId(connection, '01a22922-3')).rejects.toMatchObject({
    status: 1,
    message: expect.stringMatching(/^2 jobs begin with 01a22922-3:\n {2}01a22922-3000.*eject on driver redfish/),
  });
  await expect(findJobId(connection, 'ffff')).rejects.toMatchObject({ status: 3 });
  listJobs.mockClear();
  // Whole ids, and what is none, are for the service to judge.
  for (const ident of [ID, '01a', 'rack-7', '']) expect(await findJobId(connection, ident)).toBe(ident);
  expect(listJobs).not.toHaveBeenCalled();
});
