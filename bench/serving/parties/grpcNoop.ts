// Handlers on grpc-js that do nothing. They decode and encode the messages by the same library as the service.
import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { type MethodDefinition, Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import { PassthruService } from '../../../gen/passthru/v1/passthru_pb.ts';
import { ANSWER } from './answer.ts';

const method = process.env.METHOD === 'CallNodeMethod' ? 'callNodeMethod' : 'listNodeMethods';
const { input, output } = PassthruService.method[method];
const answer = fromBinary(output, ANSWER);
const definition: ServiceDefinition = { [method]: unary(input, output) };
const server = new Server();
server.addService(definition, {
  [method]: (_call: unknown, reply: (error: null, message: typeof answer) => void) => reply(null, answer),
});
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.log(`listening on http://127.0.0.1:${port}`);
});
process.once('SIGTERM', () => process.exit());

function unary<I extends DescMessage, O extends DescMessage>(
  request: I,
  response: O,
): MethodDefinition<MessageShape<I>, MessageShape<O>> {
  return {
    path: `/${PassthruService.typeName}/${PassthruService.method[method].name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: (message) => Buffer.from(toBinary(request, message)),
    requestDeserialize: (bytes) => fromBinary(request, bytes),
    responseSerialize: (message) => Buffer.from(toBinary(response, message)),
    responseDeserialize: (bytes) => fromBinary(response, bytes),
  };
}
