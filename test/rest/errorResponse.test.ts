import { createServer, type RequestListener } from 'node:http';
import { connect, createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Access, noAuthenticator } from '../../src/auth/access.ts';
import { PassthruError } from '../../src/core/errors.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { CallsInFlight } from '../../src/edge/callsInFlight.ts';
import { createRestHandler } from '../../src/rest/handler.ts';
import { CALL_LIMITS } from '../defaultLimits.ts';
import { send } from './client.ts';
import { type GatedService, startGatedService } from './gatedService.ts';

/** Two errors whose response cannot be sent; only a defect causes them. */
const withBadDetails = () => {
  const lock = { kind: 'manual', holder: 'x', since: new Date(Number.NaN) };
  return new PassthruError('node_locked', 'locked', { lock: lock as never });
};
/** The challenge of the service below has a line break, which HTTP/1.1 refuses to send. */
const withBadHeader = () => new PassthruError('unauthenticated', 'who are you?');

const path = '/v1/nodes/n1/vendor_passthru/methods';
const log = { ...silentLogger, error: vi.fn() };
const unhandled = vi.fn();
let service: GatedService;
let server: Server | undefined;
beforeEach(async () => {
  service = await startGatedService();
  log.error.mockClear();
  unhandled.mockClear();
  process.on('unhandledRejection', unhandled);
});
afterEach(async () => {
  await new Promise((resolve) => server?.close(resolve));
  process.off('unhandledRejection', unhandled);
  await service.close();
});

/** Returns a handler that fails to list the methods of a node with `makeError()`. */
function failingHandler(makeError: () => PassthruError): RequestListener {
  const listNodeMethods = async () => Promise.reject(makeError());
  const access = new Access({ ...noAuthenticator, challenge: 'Basic\nrealm' });
  return createRestHandler({
    core: { ...service.core, listNodeMethods },
    access,
    calls: new CallsInFlight(CALL_LIMITS),
    log,
  });
}

async function listen(opened: Server): Promise<string> {
  server = opened;
  await new Promise<void>((resolve) => opened.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(opened.address() as AddressInfo).port}`;
}

describe('an error response that cannot be sent becomes an internal error', () => {
  afterEach(() => {
    expect(log.error).toHaveBeenCalledExactlyOnceWith({ err: expect.any(Error) }, 'REST request failed');
    expect(unhandled).not.toHaveBeenCalled();
  });

  test.each([
    ['details', withBadDetails],
    ['headers', withBadHeader],
  ])('for its %s, over HTTP/1.1', async (_name, makeError) => {
    const url = await listen(createServer(failingHandler(makeError)));
    expect(await send(url, { path })).toMatchObject({ status: 500, fault: { faultcode: 'Server' } });
  });

  test('for its details, over HTTP/2', async () => {
    const url = await listen(createHttp2Server(failingHandler(withBadDetails) as never));
    const session = connect(url);
    const stream = session.request({ ':path': path, 'x-openstack-ironic-api-version': '1.80' });
    const headers = await new Promise((resolve) => stream.once('response', resolve));
    expect(headers).toMatchObject({ ':status': 500 });
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toContain('Internal error');
    session.destroy();
  });
});

test('closes the connection when no response can be sent at all', async () => {
  const handler = failingHandler(() => new PassthruError('node_not_found', 'not there'));
  const url = await listen(
    createServer((request, response) => {
      response.writeHead = () => {
        throw new TypeError('not writable');
      };
      handler(request, response as never);
    }),
  );
  await expect(send(url, { path })).rejects.toThrow('socket hang up');
  expect(unhandled).not.toHaveBeenCalled();
});
