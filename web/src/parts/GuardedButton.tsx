import { type ReactNode, useId } from 'react';

interface GuardedButtonProps {
  /** Why it cannot be used now; null when it can. */
  reason: string | null;
  onClick(): void;
  className?: string;
  children: ReactNode;
}

/** A button that says why it cannot be used. It keeps its place in the order of the keyboard, so that everyone learns why. */
export function GuardedButton({ reason, onClick, className, children }: GuardedButtonProps) {
  const id = useId();
  return (
    <span className="guarded">
      <button
        type="button"
        className={className}
        aria-disabled={reason === null ? undefined : true}
        aria-describedby={reason === null ? undefined : id}
        title={reason ?? undefined}
        onClick={() => reason === null && onClick()}
      >
        {children}
      </button>
      {reason !== null && (
        <span id={id} className="visually-hidden">
          {reason}
        </span>
      )}
    </span>
  );
}
