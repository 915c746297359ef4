import { expect, test } from 'vitest';
import {
  type Answer,
  type Behaviour,
  EJECT,
  FIRST,
  type Json,
  link,
  MANAGER,
  type Machine,
  missing,
  SUBSCRIPTIONS,
} from './machine.ts';
import { DESTINATION, enrol, open } from './operator.ts';

// A monitor that is gone (404) says nothing about success: the task itself is looked at, then the job queues of the vendor,
// else the outcome is unknown.

const MONITOR = '/redfish/v1/TaskService/TaskMonitors/JID_1';
const TASK = '/redfish/v1/TaskService/Tasks/JID_1';
const JOB = '/redfish/v1/JobService/Jobs/JID_1';
const WORDS = 'The drive is in use by the host';

/** Returns a task for each change; `done` is what it has become of it. */
const withTask =
  (
    accepted: Answer,
    others: Record<string, Answer>,
    done: (request: { method: string; json: Json }, the: Machine) => void = () => {},
  ): Behaviour =>
  (request, the) => {
    const { method, path, nth } = request;
    if (method === 'GET') {
      const other = others[path] ?? others[`${path} ${nth}`];
      return (
        other ??
        (path.startsWith('/redfish/v1/TaskService') || path.startsWith('/redfish/v1/JobService')
          ? missing()
          : undefined)
      );
    }
    if (!path.startsWith(SUBSCRIPTIONS) && path !== EJECT) return undefined;
    done(request, the);
    return accepted;
  };

const ACCEPTED: Answer = { status: 202, headers: { Location: MONITOR } };
const FAILED_TASK: Answer = {
  body: { ...link(TASK), Id: 'JID_1', TaskState: 'Exception', TaskStatus: 'Critical', Messages: [{ Message: WORDS }] },
};
const DONE_TASK: Answer = { body: { ...link(TASK), Id: 'JID_1', TaskState: 'Completed', TaskStatus: 'OK' } };
const FAILED_JOB: Answer = {
  body: { ...link(JOB), Id: 'JID_1', JobState: 'Failed', Message: WORDS, Messages: [{ Message: WORDS }] },
};

const FAILURES: readonly (readonly [string, Answer, Record<string, Answer>])[] = [
  ['the task of the id of the monitor', ACCEPTED, { [TASK]: FAILED_TASK }],
  [
    'the task that was named in the response',
    { ...ACCEPTED, headers: { Location: '/redfish/v1/Monitors/9' }, body: { ...link(TASK), TaskState: 'Running' } },
    { [TASK]: FAILED_TASK },
  ],
  ['a task that was killed', ACCEPTED, { [TASK]: { body: { TaskState: 'Killed', Messages: [{ Message: WORDS }] } } }],
  ['a cancelled task', ACCEPTED, { [TASK]: { body: { TaskState: 'Cancelled', Messages: [{ Message: WORDS }] } } }],
  ['a job of the job service', ACCEPTED, { [JOB]: FAILED_JOB }],
  [
    'a job that ended as Exception',
    ACCEPTED,
    { [JOB]: { body: { JobState: 'Exception', Messages: [{ Message: WORDS }] } } },
  ],
  [
    'a job that completed with errors',
    ACCEPTED,
    { [JOB]: { body: { JobState: 'CompletedWithErrors', JobStatus: 'Critical', Messages: [{ Message: WORDS }] } } },
  ],
  [
    'the task, after the monitor was there once',
    ACCEPTED,
    {
      [`${MONITOR} 1`]: { status: 202, headers: { 'Retry-After': '0' }, body: { ...link(TASK), TaskState: 'Running' } },
      [TASK]: FAILED_TASK,
    },
  ],
];

test.concurrent.for(FAILURES)('an eject fails with the words of %s', async ([, accepted, others], context) => {
  const { machine, node } = await open(context, {
    behave: withTask({ ...accepted, headers: { 'Retry-After': '0', ...accepted.headers } }, others),
  });
  const job = await node.eject();
  expect(job.state).toBe('JOB_STATE_FAILED');
  expect(job.told).toContain(WORDS);
  expect(machine.sent('POST', EJECT)).toHaveLength(1);
});

test.concurrent.for(FAILURES)(
  'a new subscription fails with the words of %s',
  async ([, accepted, others], context) => {
    const { machine, node } = await open(context, {
      behave: withTask({ ...accepted, headers: { 'Retry-After': '0', ...accepted.headers } }, others),
    });
    const { status, told } = await node.call('create_subscription', { Destination: DESTINATION });
    expect(status).toBe(500);
    expect(told).toContain(WORDS);
    expect(machine.sent('POST', SUBSCRIPTIONS)).toHaveLength(1);
  },
);

test.concurrent.for(FAILURES)('a delete fails with the words of %s', async ([, accepted, others], context) => {
  const { machine, node } = await open(context, {
    behave: withTask({ ...accepted, headers: { 'Retry-After': '0', ...accepted.headers } }, others),
  });
  const { status, told } = await node.call('delete_subscription', { id: 'first' });
  expect(status).toBe(500);
  expect(told).toContain(WORDS);
  expect(machine.subscriptions.size).toBe(1);
  expect(machine.sent('DELETE', FIRST)).toHaveLength(1);
});

test.concurrent("an eject fails with the words of a job in the vendor's queue", async (context) => {
  const queue = `${MANAGER}/Oem/Dell/Jobs`;
  const { node } = await open(context, {
    edit: (documents) => {
      const links = documents.get(MANAGER)!.Links as Json;
      links.Oem = { Dell: { Jobs: link(queue) } };
    },
    behave: withTask(
      { status: 202, headers: { Location: MONITOR, 'Retry-After': '0' } },
      { [`${queue}/JID_1`]: { body: { Id: 'JID_1', JobState: 'Failed', Message: WORDS, MessageId: 'PR21' } } },
    ),
  });
  const job = await node.eject();
  expect(job.state).toBe('JOB_STATE_FAILED');
  expect(job.told).toContain(WORDS);
});

const does = ({ method, json }: { method: string; json: Json }, the: Machine) => {
  if (method === 'POST' && json?.Destination !== undefined) the.subscribe(json);
  else if (method === 'DELETE') the.subscriptions.delete('first');
  else the.eject();
};

const SUCCESSES: readonly (readonly [string, Answer, Record<string, Answer>])[] = [
  ['the task says that it completed', ACCEPTED, { [TASK]: DONE_TASK }],
  [
    'the task runs first',
    ACCEPTED,
    { [`${TASK} 1`]: { headers: { 'Retry-After': '0' }, body: { TaskState: 'Running' } }, [`${TASK} 2`]: DONE_TASK },
  ],
  ['a job says that it completed', ACCEPTED, { [JOB]: { body: { JobState: 'Completed' } } }],
  ['nothing tells of it', ACCEPTED, {}],
  ['the Location is empty', { status: 202, headers: { Location: '' } }, {}],
  ['there is no Location', { status: 202 }, {}],
  [
    'the monitor fails with 503 once',
    ACCEPTED,
    { [`${MONITOR} 1`]: { status: 503, headers: { 'Retry-After': '0' } }, [`${MONITOR} 2`]: { status: 204 } },
  ],
  [
    'the Location is relative',
    { status: 202, headers: { Location: '../TaskService/TaskMonitors/JID_1' } },
    { [TASK]: DONE_TASK },
  ],
];

test.concurrent.for(SUCCESSES)(
  'what was done is told as done where the monitor is gone and %s',
  async ([, accepted, others], context) => {
    const { machine, node } = await open(context, {
      behave: withTask({ ...accepted, headers: { 'Retry-After': '0', ...accepted.headers } }, others, does),
    });
    const made = await node.call('create_subscription', { Destination: DESTINATION, Context: 'mine' });
    expect({ status: made.status, told: made.told }).toEqual({ status: 200, told: '' });
    expect([...machine.subscriptions.keys()]).toEqual(['first', made.json.Id]);
    expect((await node.call('delete_subscription', { id: 'first' })).status).toBe(200);
    expect((await node.eject()).outcomes).toEqual({ CD1: 'ejected' });
    expect(machine.changes).toEqual([`POST ${SUBSCRIPTIONS}`, `DELETE ${FIRST}`, `POST ${EJECT}`]);
  },
);

test.concurrent('what nothing tells of and nothing shows is of unknown outcome', async (context) => {
  const { machine, node } = await open(context, {
    behave: withTask({ ...ACCEPTED, headers: { ...ACCEPTED.headers, 'Retry-After': '0' } }, {}),
  });
  const other = await enrol({ redfish_address: machine.url });
  const [made, removed] = await Promise.all([
    node.call('create_subscription', { Destination: DESTINATION }),
    other.call('delete_subscription', { id: 'first' }),
  ]);
  for (const { status, json } of [made, removed]) {
    expect(status).toBe(500);
    expect(JSON.stringify(json)).toMatch(/OUTCOME_UNKNOWN/);
  }
  expect(machine.changes.toSorted()).toEqual([`DELETE ${FIRST}`, `POST ${SUBSCRIPTIONS}`]);
});
