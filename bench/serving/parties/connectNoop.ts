// The RPC framework of the service, with handlers that do nothing.
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { fromBinary } from '@bufbuild/protobuf';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import {
  CallNodeMethodResponseSchema,
  ListNodeMethodsResponseSchema,
  PassthruService,
} from '../../../gen/passthru/v1/passthru_pb.ts';
import { ANSWER, listen } from './answer.ts';

const isCall = process.env.METHOD === 'CallNodeMethod';
const call = isCall ? fromBinary(CallNodeMethodResponseSchema, ANSWER) : undefined;
const list = isCall ? undefined : fromBinary(ListNodeMethodsResponseSchema, ANSWER);
const handler = connectNodeAdapter({
  routes(router) {
    router.service(PassthruService, {
      ...(call && { callNodeMethod: () => call }),
      ...(list && { listNodeMethods: () => list }),
    });
  },
});
listen(process.env.HTTP === '1' ? createServer(handler) : createHttp2Server(handler));
