import { ConnectError } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ErrorReason } from '../../gen/passthru/v1/error_pb.ts';
import { JobService } from '../../gen/passthru/v1/job_pb.ts';
import { PassthruService, Recording } from '../../gen/passthru/v1/passthru_pb.ts';
import { PassthruError } from '../../src/core/errors.ts';
import { type GatedService, startGatedService } from '../rest/gatedService.ts';
import { CLIENTS, detailOf, type RpcClient } from './clients.ts';

const { callNodeMethod, callDriverMethod } = PassthruService.method;

describe.each(Object.entries(CLIENTS))('over %s', (_, connect) => {
  let service: GatedService;
  let client: RpcClient;
  beforeEach(async () => {
    service = await startGatedService();
    client = connect(service.url);
  });
  afterEach(async () => {
    client[Symbol.dispose]();
    await service.close();
  });

  /** Lets call number `index` end, with one exchange. */
  async function end(how: 'finish' | 'fail', index = 0, message = 'no'): Promise<void> {
    const held = await service.hardware.call(index);
    held.task.recorder?.add(1, () => ({ path: '/redfish/v1' }));
    if (how === 'fail') held.fail(new PassthruError('bmc_refused', message));
    else held.finish(1);
  }
  const read = async (jobId: string) =>
    JSON.parse(Buffer.from((await client.unary(JobService.method.getTranscript, { jobId })).transcript).toString());

  test('the error of a call names its transcript, also when the detail is truncated', async () => {
    for (const [index, message] of ['no', 'x'.repeat(10_000)].entries()) {
      const failing = client.unary(callNodeMethod, { node: 'n1', method: 'exclusive' }).catch((thrown) => thrown);
      await end('fail', index, message);
      const detail = detailOf(await failing);
      expect(detail).toMatchObject({ reason: ErrorReason.BMC_REFUSED, truncated: index === 1 });
      expect(await read(detail.transcriptId)).toMatchObject({
        id: detail.transcriptId,
        outcome: { state: 'failed' },
        exchanges: [{ path: '/redfish/v1' }],
      });
    }
  });

  test('the response names the transcript that the request asked for', async () => {
    const plain = client.unary(callNodeMethod, { node: 'n1', method: 'exclusive' });
    await end('finish');
    expect((await plain).transcriptId).toBe('');
    const recorded = client.unary(callNodeMethod, { node: 'n1', method: 'exclusive', recording: Recording.ALL });
    await end('finish', 1);
    const { transcriptId, outcome } = await recorded;
    expect(outcome.case).toBe('result');
    expect(await read(transcriptId)).toMatchObject({ outcome: { state: 'succeeded' } });
    const failing = client
      .unary(callNodeMethod, { node: 'n1', method: 'exclusive', recording: Recording.OFF })
      .catch((thrown) => thrown);
    await end('fail', 2);
    expect(detailOf(await failing).transcriptId).toBe('');
  });

  test('the transcript of a job has its id', async () => {
    const { outcome, transcriptId } = await client.unary(callDriverMethod, {
      driver: 'gated',
      method: 'survey',
      recording: Recording.ALL,
    });
    expect(transcriptId).toBe('');
    const id = outcome.case === 'job' ? outcome.value.id : '';
    const early = detailOf(await read(id).catch((thrown) => thrown));
    expect(early).toMatchObject({
      reason: ErrorReason.TRANSCRIPT_NOT_FOUND,
      message: expect.stringMatching(/running/),
    });
    await end('finish');
    for await (const _state of client.stream(PassthruService.method.watchJob, { jobId: id }));
    expect(await read(id)).toMatchObject({ id, node_uuid: null });
  });

  test('an unknown Recording is refused', async () => {
    const error = await client
      .unary(callNodeMethod, { node: 'n1', method: 'exclusive', recording: 9 as Recording })
      .catch((thrown) => thrown);
    // Connect itself refuses it in JSON, where it has no name to send.
    if (ConnectError.from(error).details.length > 0) expect(detailOf(error).violations[0]?.field).toBe('recording');
    else expect(error).toBeInstanceOf(Error);
  });

  test('a document that nests deeper than Protobuf allows is returned', async () => {
    const failing = client.unary(callNodeMethod, { node: 'n1', method: 'exclusive' }).catch((thrown) => thrown);
    const held = await service.hardware.call(0);
    const deep = JSON.parse(`${'{"a":'.repeat(200)}1${'}'.repeat(200)}`);
    held.task.recorder?.add(1, () => deep);
    held.fail(new PassthruError('bmc_refused', 'no'));
    expect((await read(detailOf(await failing).transcriptId)).exchanges).toEqual([deep]);
  });
});
