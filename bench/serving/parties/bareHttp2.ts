// A node:http2 server that reads each request completely and returns the same bytes as a gRPC response.
import { createServer } from 'node:http2';
import { ANSWER, listen } from './answer.ts';

const headers = { ':status': 200, 'content-type': 'application/grpc+proto' };
listen(
  createServer().on('stream', (stream) => {
    stream.on('data', () => {});
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.on('end', () => {
      stream.respond(headers, { waitForTrailers: true });
      stream.end(ANSWER);
    });
    stream.on('error', () => {});
  }),
);
