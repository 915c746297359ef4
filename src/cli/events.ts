import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Command, Option } from 'commander';
import { parseDuration } from '../config/duration.ts';
import { collectPages, printsListing, withConnection } from './connection.ts';
import { eventListing, SEVERITIES } from './eventRecord.ts';
import { eventSourceCommands } from './eventSources.ts';
import { usageError } from './exitStatus.ts';
import { visibleValue } from './keyValues.ts';
import { limitOption, repeatedOption } from './options.ts';
import { addOutputOptions, type OutputOptions } from './print/output.ts';
import { watchAllEvents } from './watchMany.ts';

/** `passthru events …`. */
export function eventsCommand(): Command {
  const command = new Command('events').addCommand(listCommand()).addCommand(followCommand());
  for (const each of eventSourceCommands()) command.addCommand(each);
  return command;
}

interface FilterOptions extends OutputOptions {
  node?: string[];
  severity?: string;
  message?: string[];
  origin?: string;
}

interface ListOptions extends FilterOptions {
  since?: Date;
  until?: Date;
  limit?: number;
}

/** The default number of events in a table, which a person reads. */
const TABLE_LIMIT = 100;

function listCommand(): Command {
  const command = addFilters(new Command('list').description('List hardware events, newest first'))
    .addOption(timeOption('--since <time>', 'only events received since'))
    .addOption(timeOption('--until <time>', 'only events received before'))
    .addOption(limitOption('events', `${TABLE_LIMIT}`));
  return printsListing<ListOptions>(command, async ({ events }, _, options) => {
    const { since, until, limit = TABLE_LIMIT } = options;
    const times = { since: since && timestampFromDate(since), until: until && timestampFromDate(until) };
    const filter = filterOf(options);
    // One more says whether there are more.
    const found = await collectPages('events', (page) => events.listEvents({ ...page, ...times, filter }), limit + 1);
    if (found.length > limit && options.limit === undefined) {
      process.stderr.write(`Only the ${limit} newest events are shown; --limit 0 shows all.\n`);
    }
    return eventListing(found.slice(0, limit), 'No events.');
  });
}

function followCommand(): Command {
  const command = addFilters(
    new Command('follow').description(
      'Print each hardware event that arrives, until Ctrl-C; -f json: one object a line',
    ),
  ).option('--raw', 'with -f json, also what the BMC sent');
  return addOutputOptions(command).action(async (options: FilterOptions & { raw?: boolean }) => {
    const isOther = command.getOptionValueSource('format') !== 'default' && options.format !== 'json';
    if (isOther || options.column !== undefined) throw usageError('follow prints lines, or JSON with -f json');
    const request = { filter: filterOf(options), withRaw: options.raw ?? false };
    await withConnection(command, (connection) => watchAllEvents(connection, request, options.format === 'json'));
  });
}

function addFilters(command: Command): Command {
  return command
    .addOption(repeatedOption('--node <node>', 'only events of this node (UUID or name); repeatable'))
    .addOption(new Option('--severity <severity>', 'only events at least this bad').choices(Object.keys(SEVERITIES)))
    .addOption(
      repeatedOption('--message <id>', 'only this message id, its last part, or this message registry; repeatable'),
    )
    .option('--origin <uri>', 'only events about this resource or one below it');
}

function filterOf({ node: nodes, severity, message: messages, origin }: FilterOptions) {
  return { nodes, minSeverity: severity === undefined ? undefined : SEVERITIES[severity], messages, origin };
}

/** An option whose value is a time, or a duration before now. */
function timeOption(flags: string, description: string): Option {
  return new Option(flags, `${description} a time such as 2026-11-30T03:45:28Z, or as long ago as 30m or 2d`).argParser(
    (text: string): Date => {
      const ago = parseDuration(text);
      const time =
        ago === null ? new Date(/^\d{4}-\d{2}-\d{2}/.test(text) ? text : Number.NaN) : new Date(Date.now() - ago);
      if (!Number.isNaN(time.getTime())) return time;
      const [name] = flags.split(' ');
      throw usageError(
        `${name}: ${visibleValue(text)} is not a time such as 2026-11-30T03:45:28Z, or a duration such as 2h`,
      );
    },
  );
}
