import type { Command } from 'commander';
import type { VendorMethod } from '../../gen/passthru/v1/passthru_pb.ts';
import { isJsonObject, type Json } from '../core/json.ts';
import { typesOf } from './keyValues.ts';
import { Cell, type Listing } from './print/output.ts';

/** Adds `--long` to a command that lists methods. */
export function addLongOption(command: Command): Command {
  return command.option('--long', 'show arguments too; * = required');
}

/**
 * Lists `methods` under the columns of Ironic's `baremetal node passthru list`.
 * @param long also lists arguments: one line each in tables, their JSON Schema in JSON and YAML
 */
export function methodListing(methods: readonly VendorMethod[], long = false): Listing {
  const columns = ['Name', 'Supported HTTP methods', 'Async', 'Description', 'Response is attachment'];
  return {
    columns: long ? [...columns, 'Arguments'] : columns,
    rows: methods.map(({ name, httpMethods, async, description, attach, argumentsSchema }) => {
      const row: Json[] = [name, [...httpMethods].sort().join(', '), async, description, attach];
      if (!long) return row;
      return [...row, new Cell(argumentLines(argumentsSchema ?? {}), argumentsSchema ?? null)];
    }),
  };
}

/** Formats arguments as `Destination* string`, one per line, with the allowed values where the schema lists them. */
function argumentLines({ properties, required }: { [key: string]: Json }): string {
  if (!isJsonObject(properties)) return '';
  const mandatory = new Set(Array.isArray(required) ? required : []);
  return Object.entries(properties)
    .map(([key, schema]) => {
      const values = isJsonObject(schema) && Array.isArray(schema.enum) ? schema.enum.map(String) : typesOf(schema);
      return `${key}${mandatory.has(key) ? '*' : ''} ${values.join('|')}`.trimEnd();
    })
    .join('\n');
}
