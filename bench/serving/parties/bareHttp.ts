// A node:http server that reads each request completely and returns the same bytes: an upper bound for any service.
import { createServer } from 'node:http';
import { ANSWER, listen } from './answer.ts';

const headers = { 'Content-Type': process.env.CONTENT_TYPE, 'Content-Length': ANSWER.length };
listen(
  createServer((request, response) => {
    request.on('data', () => {});
    request.on('end', () => {
      response.writeHead(200, headers);
      response.end(ANSWER);
    });
  }),
);
