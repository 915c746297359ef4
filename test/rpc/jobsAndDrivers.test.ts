import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DriverService } from '../../gen/passthru/v1/driver_pb.ts';
import { JobService, JobState } from '../../gen/passthru/v1/job_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { detailOf } from './clients.ts';
import { startTestService, type TestService } from './service.ts';

let service: TestService;

beforeEach(async () => {
  service = await startTestService();
});
afterEach(() => service[Symbol.asyncDispose]());

test('jobs are listed newest first, page by page, and by node, driver and state', async () => {
  const transport = createGrpcTransport({ baseUrl: service.url });
  const jobs = createClient(JobService, transport);
  const passthru = createClient(PassthruService, transport);
  const ids: string[] = [];
  for (const node of ['a', 'b', 'c']) {
    await service.createNode(node);
    const { outcome } = await passthru.callNodeMethod({ node, method: 'job_of_two_steps' });
    if (outcome.case === 'job') ids.unshift(outcome.value.id);
  }
  const first = await jobs.listJobs({ pageSize: 2 });
  const second = await jobs.listJobs({ pageSize: 2, pageToken: first.nextPageToken });
  expect([...first.jobs, ...second.jobs].map((job) => job.id)).toEqual(ids);
  expect(second.nextPageToken).toBe('');

  await jobs.cancelJob({ jobId: ids[0] });
  const cancelled = await jobs.listJobs({ state: JobState.CANCELLED });
  expect(cancelled.jobs.map((job) => job.nodeName)).toEqual(['c']);
  expect((await jobs.listJobs({ node: 'a', driver: 'test', state: JobState.RUNNING })).jobs).toHaveLength(1);
  expect((await jobs.listJobs({ driver: 'other' })).jobs).toHaveLength(0);

  const state = ConnectError.from(await jobs.listJobs({ state: 99 as JobState }).catch((thrown) => thrown));
  expect([state.code, detailOf(state).violations[0]?.field]).toEqual([Code.InvalidArgument, 'state']);
  const { nextPageToken } = await createClient(DriverService, transport).listDrivers({ pageSize: 1 });
  expect(nextPageToken).toBe('');
  const token = ConnectError.from(await jobs.listJobs({ pageToken: 'ZHJpdmVyczp4' }).catch((thrown) => thrown));
  expect([token.code, detailOf(token).violations[0]?.field]).toEqual([Code.InvalidArgument, 'page_token']);
});

test('a driver is returned with its interfaces, properties and hosts', async () => {
  const drivers = createClient(DriverService, createGrpcTransport({ baseUrl: service.url }));
  const expected = {
    name: 'test',
    defaultVendorInterface: 'test',
    enabledVendorInterfaces: ['test', 'no-vendor'],
    properties: { test_address: 'Where the test is. Required.' },
    hosts: ['localhost'],
  };
  expect((await drivers.listDrivers({})).drivers).toMatchObject([expected]);
  expect((await drivers.getDriver({ driver: 'test' })).driver).toMatchObject(expected);
  const error = ConnectError.from(await drivers.getDriver({ driver: 'x' }).catch((thrown) => thrown));
  expect(error.code).toBe(Code.NotFound);
});
