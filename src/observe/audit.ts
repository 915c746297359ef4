import type { Refusal, Subject } from '../auth/access.ts';
import type { Action } from '../auth/actions.ts';
import type { Caller } from '../core/caller.ts';
import type { Core, Jobs, Nodes } from '../core/core.ts';
import { toPassthruError } from '../core/errors.ts';
import type { EventSelection } from '../core/events/eventSource.ts';
import type { EventSources } from '../core/events/eventSources.ts';
import type { JsonObject } from '../core/json.ts';
import type { NewNode, NodeUpdate } from '../core/node.ts';
import { NO_OBSERVER, type Observer } from '../core/observer.ts';
import { type AuditFacts, type AuditSink, auditRecord } from './auditRecord.ts';
import { limitRefusals } from './refusalLimit.ts';

/** Writes one audit record for each call, change of a node or an event source, cancelled job and refused request. */
interface Audit {
  /** Records calls of vendor methods. */
  readonly observer: Observer;
  /** Records a request that authentication or authorization refused. */
  refused(refusal: Refusal): void;
  /** Returns `core` with every other change recorded; the observer records the calls. */
  wrap(core: Core): Core;
  /** Writes the pending summaries of refusals. */
  close(): void;
}

/** Creates an audit that writes to `sink`. */
export function createAudit(sink: AuditSink): Audit {
  const refusals = limitRefusals(sink);
  return {
    observer: {
      ...NO_OBSERVER,
      callEnded({ call, began, node, driver, method, httpMethod }, { outcome, error }) {
        const target = 'node' in call ? { node: call.node } : { driver: call.driver };
        sink(
          auditRecord({
            action: 'call a method',
            caller: call.caller,
            method: method ?? call.method,
            httpMethod: httpMethod ?? call.httpMethod,
            node: node?.uuid ?? target.node,
            nodeName: node?.name,
            driver: driver ?? target.driver,
            job: outcome?.kind === 'job' ? outcome.job.id : null,
            arguments: call.arguments,
            outcome: outcome?.kind ?? error?.kind ?? 'internal',
            began,
          }),
        );
      },
    },
    refused({ action = null, caller, error, subject }) {
      refusals.record(auditRecord({ ...subjectFacts(subject), action, caller, outcome: error.kind }));
    },
    wrap: (core) => ({
      ...core,
      nodes: auditedNodes(core.nodes, sink),
      jobs: auditedJobs(core.jobs, sink),
      eventSources: auditedSources(core, sink),
    }),
    close: () => refusals.close(),
  };
}

/** Returns what a refused request was about, in the caller's own words: nothing of it was looked up. */
function subjectFacts(subject: Subject | null): Pick<AuditFacts, 'node' | 'driver' | 'method' | 'job'> {
  if (subject === null) return {};
  const { params, rawQuery } = subject;
  if (params === undefined) {
    const { node, driver, method, jobId } = subject;
    return { node: textOrNull(node), driver: textOrNull(driver), method: textOrNull(method), job: textOrNull(jobId) };
  }
  const method = params.method ?? new URLSearchParams(rawQuery).get('method');
  const isCall = params.ident !== undefined || params.driver !== undefined;
  return { node: params.ident, driver: params.driver, method: isCall ? method : null, job: params.id };
}

/** Messages of other methods may have members of the same name and another type. */
function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** The facts that become known only during the work. */
type Details = Pick<AuditFacts, 'node' | 'nodeName' | 'driver' | 'arguments'>;

/** Runs `work`, which may fill in details, and records its outcome. */
async function recorded<T>(
  sink: AuditSink,
  action: Action,
  facts: Omit<AuditFacts, 'action' | 'outcome'>,
  work: (details: Details) => Promise<T>,
): Promise<T> {
  const all = { ...facts, action, began: performance.now() };
  try {
    const value = await work(all);
    sink(auditRecord({ ...all, outcome: 'done' }));
    return value;
  } catch (thrown) {
    sink(auditRecord({ ...all, outcome: toPassthruError(thrown).kind }));
    throw thrown;
  }
}

function auditedNodes(nodes: Nodes, sink: AuditSink): Nodes {
  return {
    get: (ident) => nodes.get(ident),
    list: (query) => nodes.list(query),
    shards: () => nodes.shards(),
    validate: (ident) => nodes.validate(ident),
    watch: (request, to, signal) => nodes.watch(request, to, signal),
    create(given, caller) {
      const facts = { caller, node: given.uuid, nodeName: given.name, driver: given.driver, arguments: fields(given) };
      return recorded(sink, 'enrol a node', facts, async (details) =>
        addNode(details, await nodes.create(given, caller)),
      );
    },
    update(ident, change, caller, signal) {
      return recorded(sink, 'change a node', { caller, node: ident }, (details) =>
        nodes.update(
          ident,
          (node) => {
            addNode(details, node);
            const changes = change(node);
            details.arguments = fields(changes);
            return changes;
          },
          caller,
          signal,
        ),
      );
    },
    delete: (ident, caller, signal) =>
      recorded(sink, 'remove a node', { caller, node: ident }, async (details) => {
        addNode(details, await nodes.get(ident));
        await nodes.delete(ident, caller, signal);
      }),
    lock(ident, request) {
      const { caller, holder, reason = null, duration = null } = request;
      const facts = { caller, node: ident, arguments: { holder, reason, duration: inSeconds(duration) } };
      return recorded(sink, 'lock a node', facts, async (details) => {
        const locked = await nodes.lock(ident, request);
        addNode(details, locked.node);
        return locked;
      });
    },
    renewLock(ident, request) {
      const facts = { caller: request.caller, node: ident, arguments: { duration: inSeconds(request.duration) } };
      return recorded(sink, 'renew a lock', facts, async (details) =>
        addNode(details, await nodes.renewLock(ident, request)),
      );
    },
    unlock: (ident, caller, reservationKey) =>
      recorded(sink, 'unlock a node', { caller, node: ident }, async (details) =>
        addNode(details, await nodes.unlock(ident, caller, reservationKey)),
      ),
  };
}

function addNode<N extends { uuid: string; name: string | null; driver: string }>(details: Details, node: N): N {
  details.node = node.uuid;
  details.nodeName = node.name;
  details.driver = node.driver;
  return node;
}

function inSeconds(duration: number | null): number | null {
  return duration === null ? null : duration / 1000;
}

function auditedJobs(jobs: Jobs, sink: AuditSink): Jobs {
  return {
    get: (id, caller) => jobs.get(id, caller),
    list: (query, caller) => jobs.list(query, caller),
    watch: (id, afterRevision, caller, signal) => jobs.watch(id, afterRevision, caller, signal),
    watchAll: (request, caller, to, signal) => jobs.watchAll(request, caller, to, signal),
    transcript: (id, caller) =>
      recorded(sink, 'read a transcript', { caller, job: id }, () => jobs.transcript(id, caller)),
    cancel: (id, caller) =>
      recorded(sink, 'cancel a job', { caller, job: id }, async (details) => {
        const job = await jobs.cancel(id, caller);
        details.node = job.nodeUuid;
        details.nodeName = job.nodeName;
        details.driver = job.driver;
        return job;
      }),
  };
}

function auditedSources({ eventSources: sources, nodes }: Core, sink: AuditSink): EventSources {
  /** Records `work` on the source of a node, which need not have one. */
  const ofNode = <T>(action: Action, ident: string, caller: Caller, work: () => Promise<T>, given?: JsonObject) =>
    recorded(sink, action, { caller, node: ident, arguments: given }, async (details) => {
      addNode(details, await nodes.get(ident));
      return work();
    });
  return {
    get: (ident) => sources.get(ident),
    list: (query) => sources.list(query),
    counts: () => sources.counts(),
    set(ident, wish, caller) {
      const given = { transport: wish.transport, selection: fields(wish.selection) };
      return ofNode('set an event source', ident, caller, () => sources.set(ident, wish, caller), given);
    },
    delete: (ident, caller) => ofNode('delete an event source', ident, caller, () => sources.delete(ident, caller)),
    test: (ident, caller, signal) =>
      ofNode('test an event source', ident, caller, () => sources.test(ident, caller, signal)),
  };
}

/** Returns the fields being set under their API names (snake_case). All values are JSON. */
function fields(given: NewNode | NodeUpdate | EventSelection): JsonObject {
  const named = Object.entries(given).map(([name, value]) => [
    name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    value,
  ]);
  return Object.fromEntries(named) as JsonObject;
}
