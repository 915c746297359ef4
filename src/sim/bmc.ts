import type { Blueprint } from './blueprint.ts';
import type { DocumentTree } from './documents.ts';
import type { SessionTable } from './sessionTable.ts';

/** What one simulated BMC knows; the functions that answer requests read and change it. */
export interface BmcState {
  blueprint: Blueprint;
  documents: DocumentTree;
  /** Null when the BMC has no session service. */
  sessions: SessionTable | null;
  /** Passwords by user name; null when the BMC asks for no credentials. */
  accounts: ReadonlyMap<string, string> | null;
  /** The highest Id that a subscription has had; 0 at first. Ids are not used twice. */
  lastSubscriptionId: number;
  /** `http://HOST:PORT`, without a slash at the end. */
  url: string;
  /** Restarts the BMC, once the answer to the request at hand is out. */
  restart: () => void;
}
