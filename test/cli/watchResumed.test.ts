import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { NodeService } from '../../gen/passthru/v1/node_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { type PostgresServer, startPostgres } from '../store/postgres/embeddedPostgres.ts';
import { type Command, type Served, serve, startPassthru } from './run.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let postgres: PostgresServer;
let environment: NodeJS.ProcessEnv;
let service: Served;

beforeAll(async () => {
  postgres = await startPostgres();
  environment = {
    PASSTHRU_STORE: postgres.url(await postgres.createDatabase()),
    PASSTHRU_SECRETS_ENCRYPTION_KEYS: 'k'.repeat(43),
  };
  service = await serve([], environment);
});
afterAll(async () => {
  await service.stop();
  await postgres.remove();
});

/** Returns the parsed lines that a command has printed. */
function printed(command: Command) {
  const lines = command.bytes().toString().split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

test('watches of all jobs and nodes go on by their cursor after the service was killed, say so, and lose nothing', async () => {
  const { url } = service;
  const transport = createGrpcTransport({ baseUrl: url });
  const nodes = createClient(NodeService, transport);
  const calls = createClient(PassthruService, transport);
  const hold = async (holder: string) => {
    await nodes.lockNode({ node: 'n', holder });
    await nodes.unlockNode({ node: 'n' });
  };
  const job = async () => {
    const { outcome } = await calls.callNodeMethod({ node: 'n', method: 'second_method', arguments: { bar: 'kazoo' } });
    return outcome.case === 'job' ? outcome.value.id : '';
  };
  await nodes.createNode({ node: { name: 'n', driver: 'fake-hardware' } });
  const at = { PASSTHRU_SERVER: url };
  const ofNodes = startPassthru(['node', 'watch', '-f', 'json'], at);
  const ofJobs = startPassthru(['job', 'watch', '--all', '-f', 'json'], at);
  const watches = [ofNodes, ofJobs];
  for (const watch of watches) await watch.printed(/"event":"current"/);
  const ids = [await job()];
  await hold('before');
  await ofNodes.printed(/"reservation":"before"/);
  await ofJobs.printed(/"revision":2/);

  service.command.process.kill('SIGKILL');
  for (const watch of watches) await watch.printed(/connection lost, reconnecting to resume where it broke off/);
  service = await serve([], { ...environment, PASSTHRU_LISTEN: new URL(url).host });
  // Before they are connected again, and after that.
  await hold('between');
  for (const watch of watches) await watch.printed(/connected again/);
  ids.push(await job());
  await hold('after');
  await ofNodes.printed(/"reservation":"after"[\s\S]*"reservation":null/);
  await vi.waitFor(() => expect(printed(ofJobs).at(-1)?.job).toMatchObject({ id: ids[1], revision: 2 }), 30_000);
  for (const watch of watches) watch.process.kill('SIGINT');
  for (const watch of watches) {
    const { status, stderr } = await watch.ended;
    expect(status).toBe(130);
    const said = [
      'connection lost, reconnecting to resume where it broke off',
      'connected again',
      'error: stopped watching',
    ];
    expect(stderr.trimEnd().split('\n')).toEqual(said);
  }
  const holders = printed(ofNodes).map(({ node }) => node?.reservation ?? null);
  const shown = holders.filter((holder) => ['before', 'between', 'after'].includes(holder));
  expect(shown).toEqual(['before', 'between', 'after']);
  expect(printed(ofNodes).some(({ event }) => event === 'reset')).toBe(false);
  const revisions = printed(ofJobs).flatMap(({ job }) => (job === undefined ? [] : [[job.id, job.revision]]));
  expect(revisions).toEqual(
    ids.flatMap((id) => [
      [id, 1],
      [id, 2],
    ]),
  );
});
