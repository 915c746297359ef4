import { Attachment, defineMethod, PassthruError, z } from 'passthru/driver';

/** A driver that leaks its node's password everywhere that it can. */
const passwordOf = (task) => task.node.driverInfo.leaky_password;

/** Returns its other secrets, and the password in other forms. */
function othersOf(task) {
  const { leaky_password: secret, leaky_unlock: declared, leaky_address: address } = task.node.driverInfo;
  const bytes = Buffer.from(`u:${secret}`);
  const forms = [bytes.toString('base64'), bytes.toString('hex'), secret?.toUpperCase()];
  return `${declared} ${address} ${forms.join(' ')}`;
}

function method(name, handler, more = {}) {
  return defineMethod({
    name,
    httpMethods: ['POST', 'GET'],
    description: name,
    arguments: z.object({
      api_key: z.string().optional(),
      HttpHeaders: z.any().optional(),
      mode: z.enum(['a']).optional(),
    }),
    result: z.any(),
    handler: (task, args) => {
      record(task, args);
      return handler(task, args);
    },
    ...more,
  });
}

/** Records an exchange that holds the password, and what the caller sent, in every form. */
function record(task, args) {
  const secret = passwordOf(task);
  task.recorder?.context(() => ({ root: { said: secret }, [`name ${secret}`]: true }));
  task.recorder?.add(100, () => ({
    request: {
      url: `https://u:${encodeURIComponent(secret)}@bmc/redfish/v1?key=${encodeURIComponent(secret)}`,
      headers: { 'x-any': secret, authorization: `Basic ${Buffer.from(`u:${secret}`).toString('base64')}` },
      body: JSON.stringify({ secret, args }),
    },
    response: { body: { Message: `'${secret}' is wrong`, args, [`name ${secret}`]: [[secret]] } },
  }));
}

function failure(secret) {
  const cause = Object.assign(new Error(`the BMC refused ${JSON.stringify({ secret })}`), { body: { secret } });
  const error = new Error(`log-in with ${secret} failed at https://u:${encodeURIComponent(secret)}@bmc`, { cause });
  return Object.assign(error, { code: secret, request: { list: [secret], headers: { 'x-any': secret } } });
}

function talk(task) {
  const secret = passwordOf(task);
  for (const level of ['debug', 'info', 'warn', 'error']) {
    task.log[level](
      { others: othersOf(task), text: secret, node: task.node, err: failure(secret) },
      `logged in with ${secret}`,
    );
  }
}

const methods = [
  method('talks', async (task) => talk(task)),
  method('throws', async (task) => {
    throw failure(passwordOf(task));
  }),
  method('throws_text', async (task) => {
    throw `no luck with ${passwordOf(task)} ${othersOf(task)}`;
  }),
  method('throws_several', async (task) => {
    throw new AggregateError([failure(passwordOf(task))], `all of ${passwordOf(task)}`);
  }),
  method('refuses', async (task) => {
    const secret = passwordOf(task);
    throw new PassthruError('bmc_refused', `The BMC says: ${secret} is wrong`, {
      bmc: { status: 400, extendedInfo: [{ Message: `'${secret}' ${othersOf(task)}`, MessageArgs: [secret] }] },
      violations: [{ field: 'arguments.mode', description: `not ${secret}` }],
      cause: failure(secret),
    });
  }),
  method('quotes_arguments', async (_task, args) => {
    throw new Error(`refused: ${JSON.stringify(args)}`);
  }),
  method(
    'works',
    async (task) => {
      talk(task);
      task.progress(0.5, `at ${passwordOf(task)}`);
      await new Promise((resolve) => setTimeout(resolve, 300));
      throw failure(passwordOf(task));
    },
    { async: true },
  ),
  method('strays', async (task) => {
    const secret = passwordOf(task);
    const error = Object.assign(new Error(`https://u:${secret}@bmc said password=${secret}, "token": "${secret}"`), {
      password: secret,
      headers: { authorization: `Basic ${secret}` },
    });
    void Promise.reject(error);
    return null;
  }),
  method('crashes', async (task) => {
    const secret = passwordOf(task);
    setTimeout(() => {
      throw Object.assign(new Error(`https://u:${secret}@bmc`), { password: secret });
    });
    return null;
  }),
  method('dumps', async () => new Attachment(new Uint8Array(1), 'text/plain', 'x'), { attach: true }),
];

export default {
  name: 'leaky',
  vendorInterfaces: [
    {
      name: 'leaky',
      methods,
      validate(node) {
        const { leaky_password: secret, leaky_broken: broken } = node.driverInfo;
        if (broken) throw new PassthruError('invalid_argument', `leaky_password ${secret} is too short`);
      },
    },
  ],
  properties: { leaky_unlock: 'A secret whose name does not tell.' },
  secretKeys: ['leaky_unlock'],
  async release(node) {
    throw failure(node.driverInfo.leaky_password);
  },
};
