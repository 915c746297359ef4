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

/** An answer in plain values, which fit the messages of both versions. */
type Answer =
  | { case: 'fileDescriptorResponse'; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: 'allExtensionNumbersResponse'; value: { baseTypeName: string } }
  | { case: 'listServicesResponse'; value: { service: { name: string }[] } }
  | { case: 'errorResponse'; value: { errorCode: number; errorMessage: string } };

/**
 * The gRPC server reflection protocol (grpc/doc/server-reflection.md) for `services`; its two versions differ in the
 * names of their messages alone.
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
        yield { validHost: request.host, originalRequest: request, messageResponse: answer(index, request) };
      }
    },
  };
}

function answer(index: DescriptorIndex, request: v1.ServerReflectionRequest | v1alpha.ServerReflectionRequest): Answer {
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
      // No message here is ever extended: that is a thing of proto2.
      if (index.bySymbol(messageRequest.value) === undefined) return files(undefined);
      return { case: 'allExtensionNumbersResponse', value: { baseTypeName: messageRequest.value } };
    default:
      return failure(Code.InvalidArgument, 'nothing is asked');
  }
}

/** `file` and all that it imports. */
function files(file: DescFile | undefined): Answer {
  if (file === undefined) return failure(Code.NotFound, 'not found');
  const fileDescriptorProto = [...withImports(file)].map((each) => toBinary(FileDescriptorProtoSchema, each.proto));
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
}

function failure(errorCode: Code, errorMessage: string): Answer {
  return { case: 'errorResponse', value: { errorCode, errorMessage } };
}

/** `file` first, since clients take the first for the one they asked for. */
function withImports(file: DescFile, found = new Set<DescFile>()): Set<DescFile> {
  found.add(file);
  for (const dependency of file.dependencies) if (!found.has(dependency)) withImports(dependency, found);
  return found;
}

/** Finds the file that declares something. */
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
    // The values of an enum are named beside it, not in it.
    const scope = enumeration.typeName.slice(0, enumeration.typeName.lastIndexOf('.') + 1);
    for (const value of enumeration.values) this.#symbols.set(scope + value.name, enumeration.file);
  }

  #addExtension(extension: DescExtension): void {
    this.#symbols.set(extension.typeName, extension.file);
  }
}
