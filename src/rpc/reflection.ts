import { type DescFile, type DescService, toBinary } from '@bufbuild/protobuf';
import { nestedTypes } from '@bufbuild/protobuf/reflect';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code, type HandlerContext } from '@connectrpc/connect';
import type * as v1 from '../../gen/grpc/reflection/v1/reflection_pb.ts';
import type * as v1alpha from '../../gen/grpc/reflection/v1alpha/reflection_pb.ts';
import type { Enter } from './authorize.ts';

/** A response in plain values, which fit the messages of both versions. */
type Response =
  | { case: 'fileDescriptorResponse'; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: 'allExtensionNumbersResponse'; value: { baseTypeName: string } }
  | { case: 'listServicesResponse'; value: { service: { name: string }[] } }
  | { case: 'errorResponse'; value: { errorCode: number; errorMessage: string } };

/**
 * Implements gRPC server reflection (grpc/doc/server-reflection.md) for `services`. Its two versions differ only in the
 * names of their messages.
 */
export function reflectionService(enter: Enter, services: readonly DescService[]) {
  const index = indexDescriptors(services);
  return {
    async *serverReflectionInfo<R extends v1.ServerReflectionRequest | v1alpha.ServerReflectionRequest>(
      requests: AsyncIterable<R>,
      context: HandlerContext,
    ) {
      enter(context);
      for await (const request of requests) {
        yield { validHost: request.host, originalRequest: request, messageResponse: respond(index, request) };
      }
    },
  };
}

function respond(
  index: DescriptorIndex,
  request: v1.ServerReflectionRequest | v1alpha.ServerReflectionRequest,
): Response {
  const { messageRequest } = request;
  switch (messageRequest.case) {
    case 'listServices':
      return { case: 'listServicesResponse', value: { service: index.services } };
    case 'fileByFilename':
      return filesResponse(index.files.get(messageRequest.value));
    case 'fileContainingSymbol':
      return filesResponse(index.symbols.get(messageRequest.value));
    case 'fileContainingExtension':
      return failure(Code.NotFound, 'not found');
    case 'allExtensionNumbersOfType':
      // No message here has extensions: those are a feature of proto2.
      if (!index.symbols.has(messageRequest.value)) return failure(Code.NotFound, 'not found');
      return { case: 'allExtensionNumbersResponse', value: { baseTypeName: messageRequest.value } };
    default:
      return failure(Code.InvalidArgument, 'the request is empty');
  }
}

/** Returns `file` with all its imports. */
function filesResponse(file: DescFile | undefined): Response {
  if (file === undefined) return failure(Code.NotFound, 'not found');
  const fileDescriptorProto = [...withImports(file)].map((each) => toBinary(FileDescriptorProtoSchema, each.proto));
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
}

function failure(errorCode: Code, errorMessage: string): Response {
  return { case: 'errorResponse', value: { errorCode, errorMessage } };
}

/** Returns `file` and all its imports. `file` comes first: clients take the first one for the requested one. */
function withImports(file: DescFile, found = new Set<DescFile>()): Set<DescFile> {
  found.add(file);
  for (const dependency of file.dependencies) if (!found.has(dependency)) withImports(dependency, found);
  return found;
}

/** The services by name, and the files by their names and by the full names of what they declare. */
interface DescriptorIndex {
  readonly services: { name: string }[];
  readonly files: Map<string, DescFile>;
  readonly symbols: Map<string, DescFile>;
}

function indexDescriptors(services: readonly DescService[]): DescriptorIndex {
  const files = new Map<string, DescFile>();
  const symbols = new Map<string, DescFile>();
  for (const file of new Set(services.flatMap((service) => [...withImports(service.file)]))) {
    files.set(file.proto.name, file);
    for (const type of nestedTypes(file)) {
      symbols.set(type.typeName, file);
      if (type.kind === 'message') {
        for (const member of type.members) symbols.set(`${type.typeName}.${member.name}`, file);
      } else if (type.kind === 'service') {
        for (const method of type.methods) symbols.set(`${type.typeName}.${method.name}`, file);
      } else if (type.kind === 'enum') {
        // The values of an enum are in the scope around it.
        const scope = type.typeName.slice(0, type.typeName.lastIndexOf('.') + 1);
        for (const value of type.values) symbols.set(scope + value.name, file);
      }
    }
  }
  const names = services.map((service) => service.typeName).sort();
  return { services: names.map((name) => ({ name })), files, symbols };
}
