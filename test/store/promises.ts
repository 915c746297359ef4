import { afterEach, beforeEach, describe } from 'vitest';
import type { Store } from '../../src/core/store.ts';
import { changePromises } from './change.promises.ts';
import { conductorPromises } from './conductor.promises.ts';
import { eventPromises } from './event.promises.ts';
import { eventHandoverPromises } from './eventHandover.promises.ts';
import { eventSourcePromises } from './eventSource.promises.ts';
import { holdPromises } from './hold.promises.ts';
import { idempotencyPromises } from './idempotency.promises.ts';
import { jobPromises } from './job.promises.ts';
import { nodePromises } from './node.promises.ts';
import { nodeAttributesPromises } from './nodeAttributes.promises.ts';
import { nodeListPromises } from './nodeList.promises.ts';
import { reservationPromises } from './reservation.promises.ts';
import { sampleConductor } from './samples.ts';
import { transcriptPromises } from './transcript.promises.ts';

/** A store on a new, empty database. */
export interface OpenedStore {
  store: Store;
  /** Closes `store` and opens its database again. */
  reopen(): Promise<Store>;
  /** Runs an SQL statement on the database from outside the store. */
  execute(statement: string): Promise<void>;
  /** Closes what is open and removes the database. */
  remove(): Promise<void>;
}

/** Returns the store of the running test. */
export type Opened = () => OpenedStore;

/** Tests every promise of the interface `Store`. A new store is complete when it passes. */
export function storePromises(name: string, open: () => Promise<OpenedStore>): void {
  describe(`${name} keeps the promises of a store`, () => {
    let opened: OpenedStore;
    beforeEach(async () => {
      opened = await open();
      await opened.store.addConductor(sampleConductor());
      await opened.store.addConductor(sampleConductor({ id: 'process-2', host: 'host-2' }));
    });
    afterEach(async () => {
      await opened.remove();
    });
    const current = () => opened;
    nodePromises(current);
    eventSourcePromises(current);
    nodeAttributesPromises(current);
    nodeListPromises(current);
    reservationPromises(current);
    holdPromises(current);
    jobPromises(current);
    transcriptPromises(current);
    idempotencyPromises(current);
    conductorPromises(current);
    changePromises(current);
    eventPromises(current);
    eventHandoverPromises(current);
  });
}
