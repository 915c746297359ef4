import { Command } from 'commander';
import { addCallOptions, type CallOptions, runCall } from './call.ts';
import { withConnection } from './connection.ts';
import { addLongOption, methodListing } from './methods.ts';
import { type DurationMessage, lockWaitOption } from './options.ts';
import { addOutputOptions, type OutputOptions, printListing } from './print/output.ts';

/** `passthru node passthru list|call`. */
export function nodePassthruCommand(): Command {
  return new Command('passthru')
    .description('List and call the vendor methods of a node')
    .addCommand(listCommand())
    .addCommand(callCommand());
}

interface ListOptions extends OutputOptions {
  long?: boolean;
}

function listCommand(): Command {
  const command = new Command('list')
    .description("List the vendor methods of a node's vendor interface")
    .argument('<node>', 'UUID or name');
  return addOutputOptions(addLongOption(command)).action(async (node: string, options: ListOptions) => {
    const response = await withConnection(command, ({ passthru }) => passthru.listNodeMethods({ node }));
    await printListing(methodListing(response.methods, options.long), options);
  });
}

function callCommand(): Command {
  const command = addCallOptions(
    new Command('call')
      .description('Call a vendor method on a node')
      .argument('<node>', 'UUID or name')
      .argument('<method>', 'method name'),
  )
    .addOption(lockWaitOption())
    .addHelpText('after', HELP);
  return command.action(async (node: string, method: string, options: CallOptions & { lockWait?: DurationMessage }) => {
    const { lockWait } = options;
    await runCall(command, method, options, {
      list: ({ passthru }) => passthru.listNodeMethods({ node }),
      call: ({ passthru }, call) => passthru.callNodeMethod({ node, lockWait, ...call }),
    });
  });
}

const HELP = `
Arguments have the types of the method's schema: strings are taken as they are; numbers, booleans, lists and objects are
parsed as JSON. @FILE stands for the content of a file.

Examples:
  passthru node passthru call rf-1 get_all_subscriptions
  passthru node passthru call rf-1 create_subscription --arg Destination=https://listener.example/events
  passthru node passthru call rf-1 get_subscription --arg id=1
  passthru node passthru call rf-1 eject_vmedia --watch
  passthru node passthru call fake-1 second_method --arg bar=kazoo --lock-wait 30`;
