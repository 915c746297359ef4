import type { Command } from 'commander';
import { type Connection, withConnection } from './connection.ts';
import { CommandFailure } from './exitStatus.ts';
import { toCommandFailure } from './failure.ts';

/**
 * Does `work` for each node in turn, the rest too when one fails.
 * @throws CommandFailure with every failure, and the status of the first
 */
export async function forEachNode(
  command: Command,
  idents: readonly string[],
  work: (connection: Connection, node: string) => Promise<void>,
): Promise<void> {
  const failures: CommandFailure[] = [];
  await withConnection(command, async (connection, server) => {
    for (const node of idents) {
      try {
        await work(connection, node);
      } catch (error) {
        failures.push(toCommandFailure(error, server));
      }
    }
  });
  const [first] = failures;
  if (first !== undefined) {
    throw new CommandFailure(first.status, failures.map(({ message }) => message).join('\nerror: '));
  }
}
