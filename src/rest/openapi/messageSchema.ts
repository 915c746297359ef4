import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { ScalarType } from '@bufbuild/protobuf';
import type { Schema } from './description.ts';

/** Schemas of well-known types with a special form in proto3 JSON. */
const WELL_KNOWN: Readonly<Record<string, Schema>> = {
  'google.protobuf.Timestamp': { type: 'string', format: 'date-time' },
  'google.protobuf.Duration': { type: 'string' },
  'google.protobuf.Struct': { type: 'object' },
  'google.protobuf.Value': {},
  'google.protobuf.ListValue': { type: 'array' },
};

/** Returns the JSON Schema of a message in proto3 JSON with the proto's names. The message must not be recursive. */
export function messageSchema(message: DescMessage): Schema {
  return (
    WELL_KNOWN[message.typeName] ?? {
      type: 'object',
      properties: Object.fromEntries(message.fields.map((field) => [field.name, fieldSchema(field)])),
      additionalProperties: false,
    }
  );
}

function fieldSchema(field: DescField): Schema {
  switch (field.fieldKind) {
    case 'list':
      return { type: 'array', items: valueSchema(field.listKind, field) };
    case 'map':
      return { type: 'object', additionalProperties: valueSchema(field.mapKind, field) };
    default:
      return valueSchema(field.fieldKind, field);
  }
}

function valueSchema(
  kind: 'scalar' | 'enum' | 'message',
  { scalar, enum: values, message }: Pick<DescField, 'scalar' | 'enum' | 'message'>,
): Schema {
  if (kind === 'message' && message !== undefined) return messageSchema(message);
  if (kind === 'enum') return { type: 'string', enum: values?.values.map(({ name }) => name) };
  switch (scalar) {
    case ScalarType.BOOL:
      return { type: 'boolean' };
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return { type: 'number' };
    case ScalarType.INT32:
    case ScalarType.UINT32:
      return { type: 'integer' };
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return { type: 'string', pattern: '^-?[0-9]+$' };
    default:
      return { type: 'string' };
  }
}
