import type { Command } from 'commander';
import type { VendorMethod } from '../../gen/passthru/v1/passthru_pb.ts';
import { isJsonObject, type Json } from '../core/json.ts';
import { typesOf } from './keyValues.ts';
import { Cell, type Listing } from './print/output.ts';

/** Adds `--long` to a command that lists methods. */
export function addLongOption(command: Command): Command {
  return command.option('--long', 'the arguments too; * marks those that are wanted');
}

/**
 * `methods` under Ironic's columns of `baremetal node passthru list`.
 * @param long whether to tell of the arguments too: in a line for people, by their JSON Schema for programs
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

/** `Destination* string`, a line each; with what an argument can be, when its schema names it. */
function argumentLines({ properties, required }: { [key: string]: Json }): string {
  if (!isJsonObject(properties)) return '';
  const wanted = new Set(Array.isArray(required) ? required : []);
  return Object.entries(properties)
    .map(([key, schema]) => {
      const values = isJsonObject(schema) && Array.isArray(schema.enum) ? schema.enum.map(String) : typesOf(schema);
      return `${key}${wanted.has(key) ? '*' : ''} ${values.join('|')}`.trimEnd();
    })
    .join('\n');
}
