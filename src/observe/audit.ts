import type { Refusal } from '../auth/access.ts';
import type { Action } from '../auth/actions.ts';
import type { Core, Jobs, Nodes } from '../core/core.ts';
import { toPassthruError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { NewNode, NodeUpdate } from '../core/node.ts';
import { NO_OBSERVER, type Observer } from '../core/observer.ts';
import { type AuditFacts, type AuditSink, auditRecord } from './auditRecord.ts';
import { limitRefusals } from './refusalLimit.ts';

/** Writes the audit: one record for each call, each change of a node, each cancel, and each who was not let in. */
export interface Audit {
  /** Records calls. */
  readonly observer: Observer;
  /** Records one who was not let in. */
  refused(refusal: Refusal): void;
  /** `core`, with what else changes something recorded; its calls are the observer's. */
  wrap(core: Core): Core;
  /** Records what it has held back. */
  close(): void;
}

/** The audit that writes to `sink`. */
export function createAudit(sink: AuditSink): Audit {
  const refusals = limitRefusals(sink);
  return {
    observer: {
      ...NO_OBSERVER,
      callEnded({ call, began, node, driver, method, httpMethod }, { outcome, error }) {
        const asked = 'node' in call ? { node: call.node } : { driver: call.driver };
        sink(
          auditRecord({
            action: 'call a method',
            caller: call.caller,
            method: method ?? call.method,
            httpMethod: httpMethod ?? call.httpMethod,
            node: node?.uuid ?? asked.node,
            nodeName: node?.name,
            driver: driver ?? asked.driver,
            job: outcome?.kind === 'job' ? outcome.job.id : null,
            arguments: call.arguments,
            outcome: outcome?.kind ?? error?.kind ?? 'internal',
            began,
          }),
        );
      },
    },
    refused({ action = null, caller, error }) {
      refusals.record(auditRecord({ action, caller, outcome: error.kind }));
    },
    wrap: (core) => ({ ...core, nodes: auditedNodes(core.nodes, sink), jobs: auditedJobs(core.jobs, sink) }),
    close: () => refusals.close(),
  };
}

/** What is found out while something is done. */
type Found = Pick<AuditFacts, 'node' | 'nodeName' | 'driver' | 'arguments'>;

/** Does `work`, which may add to what is found, and records it. */
async function recorded<T>(
  sink: AuditSink,
  action: Action,
  facts: Omit<AuditFacts, 'action' | 'outcome'>,
  work: (found: Found) => Promise<T>,
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
    validate: (ident) => nodes.validate(ident),
    create(given, caller) {
      const facts = { caller, node: given.uuid, nodeName: given.name, driver: given.driver, arguments: fields(given) };
      return recorded(sink, 'enrol a node', facts, async (found) => {
        const node = await nodes.create(given, caller);
        found.node = node.uuid;
        return node;
      });
    },
    update(ident, change, caller, signal) {
      return recorded(sink, 'change a node', { caller, node: ident }, (found) =>
        nodes.update(
          ident,
          (node) => {
            Object.assign(found, { node: node.uuid, nodeName: node.name, driver: node.driver });
            const changes = change(node);
            found.arguments = fields(changes);
            return changes;
          },
          caller,
          signal,
        ),
      );
    },
    delete: (ident, caller, signal) =>
      recorded(sink, 'remove a node', { caller, node: ident }, async (found) => {
        foundNode(found, await nodes.get(ident));
        await nodes.delete(ident, caller, signal);
      }),
    lock(ident, request) {
      const facts = { caller: request.caller, node: ident, arguments: { holder: request.holder } };
      return recorded(sink, 'lock a node', facts, async (found) => foundNode(found, await nodes.lock(ident, request)));
    },
    unlock: (ident, caller) =>
      recorded(sink, 'unlock a node', { caller, node: ident }, async (found) =>
        foundNode(found, await nodes.unlock(ident, caller)),
      ),
  };
}

function foundNode<N extends { uuid: string; name: string | null; driver: string }>(found: Found, node: N): N {
  found.node = node.uuid;
  found.nodeName = node.name;
  found.driver = node.driver;
  return node;
}

function auditedJobs(jobs: Jobs, sink: AuditSink): Jobs {
  return {
    get: (id) => jobs.get(id),
    list: (query) => jobs.list(query),
    watch: (id, afterRevision, signal) => jobs.watch(id, afterRevision, signal),
    cancel: (id, caller) =>
      recorded(sink, 'cancel a job', { caller, job: id }, async (found) => {
        const job = await jobs.cancel(id, caller);
        found.node = job.nodeUuid;
        found.nodeName = job.nodeName;
        found.driver = job.driver;
        return job;
      }),
  };
}

/** What is set of a node, by the names that the API has. Only what JSON can say is in there. */
function fields(given: NewNode | NodeUpdate): JsonObject {
  const named = Object.entries(given).map(([name, value]) => [
    name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    value,
  ]);
  return Object.fromEntries(named) as JsonObject;
}
