// Shows the client from a page: what index.html runs.
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
    interceptors: [authorize(field('authorization')), tellRequests],
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

/** Tells in the browser's console what the service called each call that it answered: what its log shows of it. */
const tellRequests: Interceptor = (next) => async (request) => {
  const response = await next(request);
  console.info(request.method.name, response.header.get('OpenStack-Request-Id'));
  return response;
};
