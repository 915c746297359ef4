import type { ReactNode } from 'react';

/** Tells the reader of something that happened; an error is read out at once. */
export function Message({ kind, children }: { kind: 'error' | 'info' | 'success'; children: ReactNode }) {
  return (
    <div className={`message ${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
      {children}
    </div>
  );
}
