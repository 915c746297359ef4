import { type ReactNode, useId } from 'react';

/** Sends its form, or says beside itself why that cannot be done now. The form checks the same: Enter sends it too. */
export function SubmitButton({ reason, children }: { reason: string | null; children: ReactNode }) {
  const id = useId();
  return (
    <div className="actions">
      <button
        type="submit"
        className="main"
        aria-disabled={reason === null ? undefined : true}
        aria-describedby={reason === null ? undefined : id}
      >
        {children}
      </button>
      {reason !== null && (
        <span className="help" id={id}>
          {reason}
        </span>
      )}
    </div>
  );
}
