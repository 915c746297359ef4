// Runs the example in a page; loaded by index.html.
import type { Interceptor } from '@connectrpc/connect';
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-web';
import { show } from './show.ts';

const TRANSPORTS = { connect: createConnectTransport, 'grpc-web': createGrpcWebTransport };

const form = document.querySelector('form')!;
const output = document.querySelector('output')!;

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const field = (name: string) => String(new FormData(form).get(name));
  output.textContent = '';
  const print = (line: string) => output.append(`${line}\n`);
  const transport = TRANSPORTS[field('protocol') as keyof typeof TRANSPORTS]({
    baseUrl: field('service'),
    interceptors: [authorize(field('authorization')), logRequestIds],
  });
  try {
    await show(transport, field('node'), print);
    print('done');
  } catch (error) {
    print(String(error));
  }
});

/** Sends `Authorization` with every call, unless it is empty. */
function authorize(authorization: string): Interceptor {
  return (next) => (request) => {
    if (authorization !== '') request.header.set('Authorization', authorization);
    return next(request);
  };
}

/** Logs the request id of each response to the browser's console; the service's log shows the same id. */
const logRequestIds: Interceptor = (next) => async (request) => {
  const response = await next(request);
  console.info(request.method.name, response.header.get('OpenStack-Request-Id'));
  return response;
};
