import {
  type DescEnum,
  type DescExtension,
  type DescFile,
  type DescMessage,
  type DescService,
  toBinary,
} from '@bufbuild/protobuf';
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
 * Implements gRPC server reflection (grpc/doc/server-reflection.md) for `services`. Its two versions differ only in the names
 * of their messages.
 */
export function reflectionService(enter: Enter, services: readonly DescService[]) {
  const index = new DescriptorIndex(services);
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
      return { case: 'listServicesResponse', value: { service: index.services.map((name) => ({ name })) } };
    case 'fileByFilename':
      return files(index.byFileName(messageRequest.value));
    case 'fileContainingSymbol':
      return files(index.bySymbol(messageRequest.value));
    case 'fileContainingExtension':
      return files(undefined);
    case 'allExtensionNumbersOfType':
      // No message here has extensions: those are a feature of proto2.
      if (index.bySymbol(messageRequest.value) === undefined) return files(undefined);
      return { case: 'allExtensionNumbersResponse', value: { baseTypeName: messageRequest.value } };
    default:
      return failure(Code.InvalidArgument, 'the request is empty');
  }
}

/** Returns `file` with all its imports. */
function files(file: DescFile | undefined): Response {
  if (file === undefined) return failure(Code.NotFound, 'not found');
  const fileDescriptorProto = [...withImports(file)].map((each) => toBinary(FileDescriptorProtoSchema, each.proto));
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
}

function failure(errorCode: Code, errorMessage: string): Response {
  return { case: 'errorResponse', value: { errorCode, errorMessage } };
}

/** Returns `file` and its imports, transitively. `file` comes first: clients take the first one for the requested one. */
function withImports(file: DescFile, found = new Set<DescFile>()): Set<DescFile> {
  found.add(file);
  for (const dependency of file.dependencies) if (!found.has(dependency)) withImports(dependency, found);
  return found;
}

/** Finds the file that declares a symbol. */
class DescriptorIndex {
  /** The full names of the services. */
  readonly services: string[];
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();

  constructor(services: readonly DescService[]) {
    this.services = services.map((service) => service.typeName).sort();
    for (const service of services) {
      for (const file of withImports(service.file)) this.#addFile(file);
    }
  }

  byFileName(name: string): DescFile | undefined {
    return this.#files.get(name);
  }

  bySymbol(fullName: string): DescFile | undefined {
    return this.#symbols.get(fullName);
  }

  #addFile(file: DescFile): void {
    if (this.#files.has(file.proto.name)) return;
    this.#files.set(file.proto.name, file);
    for (const message of file.messages) this.#addMessage(message);
    for (const enumeration of file.enums) this.#addEnum(enumeration);
    for (const extension of file.extensions) this.#addExtension(extension);
    for (const service of file.services) {
      this.#symbols.set(service.typeName, file);
      for (const method of service.methods) this.#symbols.set(`${service.typeName}.${method.name}`, file);
    }
  }

  #addMessage(message: DescMessage): void {
    this.#symbols.set(message.typeName, message.file);
    for (const member of message.members) this.#symbols.set(`${message.typeName}.${member.name}`, message.file);
    for (const nested of message.nestedMessages) this.#addMessage(nested);
    for (const enumeration of message.nestedEnums) this.#addEnum(enumeration);
    for (const extension of message.nestedExtensions) this.#addExtension(extension);
  }

  #addEnum(enumeration: DescEnum): void {
    this.#symbols.set(enumeration.typeName, enumeration.file);
    // The values of an enum are in the scope around it.
    const scope = enumeration.typeName.slice(0, enumeration.typeName.lastIndexOf('.') + 1);
    for (const value of enumeration.values) this.#symbols.set(scope + value.name, enumeration.file);
  }

  #addExtension(extension: DescExtension): void {
    this.#symbols.set(extension.typeName, extension.file);
  }
}
