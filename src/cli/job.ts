import { Command, Option } from 'commander';
import { collectPages, withConnection } from './connection.ts';
import { endWithJob, JOB_STATES, jobListing, jobRecord } from './jobRecord.ts';
import { limitOption } from './options.ts';
import { addOutputOptions, type OutputOptions, printListing, printRecord } from './print/output.ts';
import { watchJob } from './watch.ts';

/** `passthru job …`. */
export function jobCommand(): Command {
  return new Command('job')
    .description('Show, watch and cancel jobs: runs of asynchronous methods')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(watchCommand())
    .addCommand(cancelCommand());
}

interface ListOptions extends OutputOptions {
  node?: string;
  driver?: string;
  state?: string;
  limit: number;
}

function listCommand(): Command {
  const command = new Command('list')
    .description('List jobs, newest first')
    .option('--node <node>', 'only jobs of this node (UUID or name)')
    .option('--driver <driver>', 'only jobs of this driver')
    .addOption(new Option('--state <state>', 'only jobs in this state').choices(Object.keys(JOB_STATES)))
    .addOption(limitOption('jobs'));
  return addOutputOptions(command).action(async (options: ListOptions) => {
    const { node, driver } = options;
    const state = options.state === undefined ? undefined : JOB_STATES[options.state];
    const found = await withConnection(command, ({ jobs }) =>
      collectPages(options.limit, async (pageSize, pageToken) => {
        const page = await jobs.listJobs({ pageSize, pageToken, node, driver, state });
        return { items: page.jobs, nextPageToken: page.nextPageToken };
      }),
    );
    await printListing(jobListing(found), options);
  });
}

function showCommand(): Command {
  const command = new Command('show').description('Show a job').argument('<job>', 'job ID');
  return addOutputOptions(command).action(async (jobId: string, options: OutputOptions) => {
    const { job } = await withConnection(command, ({ jobs }) => jobs.getJob({ jobId }));
    await printRecord(jobRecord(job!), options);
  });
}

function watchCommand(): Command {
  const command = new Command('watch')
    .description('Follow a job until it ends. Ctrl-C stops watching, not the job')
    .argument('<job>', 'job ID');
  return addOutputOptions(command).action(async (jobId: string, options: OutputOptions) => {
    const job = await withConnection(command, (connection) => watchJob(connection, jobId));
    await printRecord(jobRecord(job), options);
    endWithJob(job);
  });
}

function cancelCommand(): Command {
  const command = new Command('cancel')
    .description('Cancel a running job, and wait briefly for it to end')
    .argument('<job>', 'job ID');
  return addOutputOptions(command).action(async (jobId: string, options: OutputOptions) => {
    const { job } = await withConnection(command, ({ jobs }) => jobs.cancelJob({ jobId }));
    await printRecord(jobRecord(job!), options);
  });
}
