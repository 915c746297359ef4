import { Command, Option } from 'commander';
import {
  type EventSource,
  EventSourceState,
  type EventSourceTest,
  EventTransport,
} from '../../gen/passthru/v1/event_pb.ts';
import type { Json } from '../core/json.ts';
import { collectPages, forEachNode, printsListing, printsRecord } from './connection.ts';
import { limitOption, repeatedOption } from './options.ts';
import { type Listing, type OutputOptions, orNull, type PrintedRecord, timeOrNull } from './print/output.ts';

const STATES: Readonly<Record<string, EventSourceState>> = {
  pending: EventSourceState.PENDING,
  active: EventSourceState.ACTIVE,
  degraded: EventSourceState.DEGRADED,
  failed: EventSourceState.FAILED,
  deleting: EventSourceState.DELETING,
};

const TRANSPORTS: Readonly<Record<string, EventTransport>> = {
  push: EventTransport.PUSH,
  sse: EventTransport.SSE,
};

/** The subcommands of `passthru events` about event sources. */
export function eventSourceCommands(): Command[] {
  return [sourcesCommand(), sourceCommand(), testCommand()];
}

interface ListOptions extends OutputOptions {
  state?: string;
  driver?: string;
  limit?: number;
}

/** The default number of sources in a table, which a person reads. */
const TABLE_LIMIT = 100;

function sourcesCommand(): Command {
  const command = new Command('sources')
    .description('List the event sources of nodes: whether their events arrive, and why not')
    .addOption(new Option('--state <state>', 'only sources in this state').choices(Object.keys(STATES)))
    .option('--driver <driver>', 'only sources of nodes with this driver')
    .addOption(limitOption('sources', `${TABLE_LIMIT} in a table, else all`));
  return printsListing<ListOptions>(command, async ({ events }, _, { state: name, driver, limit, format }) => {
    const state = name === undefined ? undefined : STATES[name];
    const most = limit ?? (format === 'table' ? TABLE_LIMIT : Number.POSITIVE_INFINITY);
    const list = (page: { pageSize: number; pageToken: string }) => events.listEventSources({ ...page, driver, state });
    const found = await collectPages('sources', list, most + 1);
    if (found.length > most && limit === undefined) {
      process.stderr.write(`Only the ${most} first sources are shown; --limit 0 shows all.\n`);
    }
    return listing(found.slice(0, most));
  });
}

function sourceCommand(): Command {
  const show = new Command('show').description('Show the event source of a node').argument('<node>', 'UUID or name');
  const remove = new Command('delete')
    .description('End the events of nodes; their subscriptions are removed from the BMCs')
    .argument('<nodes...>', 'UUIDs or names');
  return new Command('source')
    .description('Show, set and delete the event source of a node')
    .addCommand(
      printsRecord(show, async ({ events }, node) => sourceRecord((await events.getEventSource({ node })).source!)),
    )
    .addCommand(setCommand())
    .addCommand(
      remove.action((nodes: string[]) =>
        forEachNode(remove, nodes, async ({ events }, node) => {
          await events.deleteEventSource({ node });
          console.log(`Deleted the event source of node ${node}`);
        }),
      ),
    );
}

interface SetOptions {
  transport?: string;
  registry?: string[];
  message?: string[];
  resourceType?: string[];
}

function setCommand(): Command {
  const command = new Command('set')
    .description('Make the events of nodes arrive: the service subscribes to their BMCs and keeps the subscriptions')
    .argument('<nodes...>', 'UUIDs or names')
    .addOption(
      new Option('--transport <transport>', 'only this way (default: whichever works, push first)').choices(
        Object.keys(TRANSPORTS),
      ),
    )
    .addOption(repeatedOption('--registry <prefix>', 'only events of this message registry; repeatable'))
    .addOption(repeatedOption('--message <id>', 'only events with this message id; repeatable'))
    .addOption(repeatedOption('--resource-type <type>', 'only events about this type of resource; repeatable'));
  return command.action((nodes: string[], options: SetOptions) => {
    const { transport, registry = [], message = [], resourceType = [] } = options;
    const selection = { registryPrefixes: registry, messageIds: message, resourceTypes: resourceType };
    const wish = { transport: transport === undefined ? undefined : TRANSPORTS[transport], selection };
    return forEachNode(command, nodes, async ({ events }, node) => {
      await events.setEventSource({ node, ...wish });
      console.log(`Set the event source of node ${node}; passthru events source show ${node} tells how far it is`);
    });
  });
}

function testCommand(): Command {
  const command = new Command('test')
    .description('Ask BMCs for a test event, and wait until it has arrived')
    .argument('<nodes...>', 'UUIDs or names');
  return command.action((nodes: string[]) =>
    forEachNode(command, nodes, async ({ events }, node) => {
      const { source } = await events.testEventSource({ node });
      console.log(`A test event of node ${node} arrived after ${roundTrip(source!.lastTest)} ms`);
    }),
  );
}

function listing(sources: readonly EventSource[]): Listing {
  return {
    columns: ['Node', 'State', 'Transport', 'Last Event', 'Verified At', 'Reason'],
    narrow: ['Node', 'State', 'Reason', 'Last Event', 'Transport'],
    empty: 'No event sources.',
    rows: sources.map((source) => [
      orNull(source.nodeName) ?? source.nodeUuid,
      nameOf(STATES, source.state),
      nameOf(TRANSPORTS, source.activeTransport),
      timeOrNull(source.lastEventTime),
      timeOrNull(source.verifyTime),
      orNull(source.reason),
    ]),
  };
}

function sourceRecord(source: EventSource): PrintedRecord {
  const { lastTest } = source;
  return {
    node_uuid: source.nodeUuid,
    node_name: orNull(source.nodeName),
    transport: nameOf(TRANSPORTS, source.transport),
    selection: {
      registry_prefixes: source.selection?.registryPrefixes ?? [],
      message_ids: source.selection?.messageIds ?? [],
      resource_types: source.selection?.resourceTypes ?? [],
    },
    state: nameOf(STATES, source.state),
    reason: orNull(source.reason),
    state_time: timeOrNull(source.stateTime),
    active_transport: nameOf(TRANSPORTS, source.activeTransport),
    subscription: orNull(source.subscription),
    verify_time: timeOrNull(source.verifyTime),
    next_verify_time: timeOrNull(source.nextVerifyTime),
    last_event_time: timeOrNull(source.lastEventTime),
    last_test_time: timeOrNull(lastTest?.requestTime),
    last_test_round_trip_ms: roundTrip(lastTest),
    last_test_error: orNull(lastTest?.error ?? ''),
    last_drift: orNull(source.lastDrift),
    last_drift_time: timeOrNull(source.lastDriftTime),
    renewals: Number(source.renewals),
    owner: orNull(source.owner),
    create_time: timeOrNull(source.createTime),
    update_time: timeOrNull(source.updateTime),
  };
}

function roundTrip(test: EventSourceTest | undefined): number | null {
  const time = test?.roundTrip;
  return time === undefined ? null : Number(time.seconds) * 1000 + Math.round(time.nanos / 1e6);
}

function nameOf(names: Readonly<Record<string, number>>, value: number): Json {
  return Object.keys(names).find((name) => names[name] === value) ?? null;
}
