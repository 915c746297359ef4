import { Command, Option } from 'commander';
import { visibleJson } from '../process/terminalText.ts';
import { collectPages, printsListing, printsRecord, withConnection } from './connection.ts';
import { CommandFailure, EXIT_STATUS, usageError } from './exitStatus.ts';
import { findJobId } from './jobId.ts';
import { endWithJob, hasEnded, JOB_STATES, jobListing, jobRecord, stateText } from './jobRecord.ts';
import { limitOption, repeatedOption } from './options.ts';
import { addOutputOptions, type OutputOptions, printRecord } from './print/output.ts';
import { watchJob } from './watch.ts';
import { watchAllJobs } from './watchMany.ts';

/** `passthru job …`. */
export function jobCommand(): Command {
  return new Command('job')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(watchCommand())
    .addCommand(cancelCommand())
    .addCommand(transcriptCommand());
}

interface ListOptions extends OutputOptions {
  node?: string;
  driver?: string;
  state?: string;
  limit?: number;
}

/** The default number of jobs in a table, which a person reads. */
const TABLE_LIMIT = 100;

function listCommand(): Command {
  const command = new Command('list')
    .description('List jobs, newest first')
    .option('--node <node>', 'only jobs of this node (UUID or name)')
    .option('--driver <driver>', 'only jobs of this driver')
    .addOption(new Option('--state <state>', 'only jobs in this state').choices(Object.keys(JOB_STATES)))
    .addOption(limitOption('jobs', `${TABLE_LIMIT} in a table, else all`));
  return printsListing<ListOptions>(command, async ({ jobs }, _, { node, driver, state: name, limit, format }) => {
    const state = name === undefined ? undefined : JOB_STATES[name];
    const most = limit ?? (format === 'table' ? TABLE_LIMIT : Number.POSITIVE_INFINITY);
    // One more says whether there are more.
    const found = await collectPages('jobs', (page) => jobs.listJobs({ ...page, node, driver, state }), most + 1);
    if (found.length > most && limit === undefined) {
      process.stderr.write(`Only the ${most} newest jobs are shown; --limit 0 shows all.\n`);
    }
    const filter = [
      ...(node === undefined ? [] : [`of node ${node}`]),
      ...(driver === undefined ? [] : [`with driver ${driver}`]),
      ...(name === undefined ? [] : [`in state ${name}`]),
    ];
    return jobListing(found.slice(0, most), filter.length === 0 ? 'No jobs.' : `No jobs ${filter.join(', ')}.`);
  });
}

function showCommand(): Command {
  const command = new Command('show').description('Show a job').argument('<job>', 'job ID, or its beginning');
  return printsRecord(command, async (connection, ident) => {
    const jobId = await findJobId(connection, ident);
    return jobRecord((await connection.jobs.getJob({ jobId })).job!);
  });
}

interface WatchOptions extends OutputOptions {
  all?: boolean;
  node?: string[];
  driver?: string;
  state?: string;
  requestedBy?: string;
}

function watchCommand(): Command {
  const command = new Command('watch')
    .description('Follow a job until it ends, or all jobs until Ctrl-C, which stops watching, not the jobs')
    .argument('[job]', 'job ID, or its beginning')
    .option('--all', 'follow all jobs: the current ones, then every change; with -f json, one JSON object a line')
    .addOption(repeatedOption('--node <node>', 'with --all, only jobs of this node (UUID or name); repeatable'))
    .option('--driver <driver>', 'with --all, only jobs of this driver')
    .addOption(new Option('--state <state>', 'with --all, only changes to this state').choices(Object.keys(JOB_STATES)))
    .option('--requested-by <name>', 'with --all, only jobs that this caller started');
  return addOutputOptions(command).action(async (jobId: string | undefined, options: WatchOptions) => {
    const { all = false, node: nodes, driver, state: name, requestedBy, format } = options;
    if (all === (jobId !== undefined)) throw usageError('give either a job or --all');
    if (jobId === undefined) {
      const isOther = command.getOptionValueSource('format') !== 'default' && format !== 'json';
      if (isOther || options.column !== undefined) throw usageError('--all prints lines, or JSON with -f json');
      const state = name === undefined ? undefined : JOB_STATES[name];
      const filter = { nodes, driver, state, requestedBy };
      return withConnection(command, (connection) => watchAllJobs(connection, filter, format === 'json'));
    }
    if ((nodes ?? driver ?? name ?? requestedBy) !== undefined) throw usageError('filters need --all');
    const job = await withConnection(command, async (connection) =>
      watchJob(connection, await findJobId(connection, jobId)),
    );
    await printRecord(jobRecord(job), options);
    endWithJob(job, options);
  });
}

function cancelCommand(): Command {
  const command = new Command('cancel')
    .description('Cancel a running job, and wait briefly for it to end; exit status 1 if it is still running then')
    .argument('<job>', 'job ID, or its beginning');
  return addOutputOptions(command).action(async (ident: string, options: OutputOptions) => {
    const { before, after } = await withConnection(command, async (connection) => {
      const jobId = await findJobId(connection, ident);
      const { job: before } = await connection.jobs.getJob({ jobId });
      return { before: before!, after: (await connection.jobs.cancelJob({ jobId })).job! };
    });
    await printRecord(jobRecord(after), options);
    if (hasEnded(before))
      console.error(`Job ${before.id} had already ended (${stateText(before)}); nothing was cancelled.`);
    if (hasEnded(after)) return;
    const how = `passthru job watch ${after.id} follows it`;
    throw new CommandFailure(EXIT_STATUS.failed, `job ${after.id} was told to stop, and is still running; ${how}`);
  });
}

function transcriptCommand(): Command {
  const command = new Command('transcript')
    .description('Print what a job, or a synchronous call, exchanged with its machine, as JSON')
    .argument('<job>', 'job ID or its beginning, or the ID of a transcript that a call printed');
  return command.action(async (jobId: string) => {
    const { transcript } = await withConnection(command, async (connection) =>
      connection.jobs.getTranscript({ jobId: await findJobId(connection, jobId) }),
    );
    console.log(visibleJson(JSON.stringify(JSON.parse(Buffer.from(transcript).toString()), null, 2)));
  });
}
