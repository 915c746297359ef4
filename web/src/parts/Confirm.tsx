import { type ReactNode, useEffect, useId, useRef } from 'react';
import { texts } from '../texts.ts';

interface ConfirmProps {
  question: string;
  /** What the button says that does it. */
  action: string;
  onConfirm(): void;
  onClose(): void;
  children?: ReactNode;
}

/** Asks before something that cannot be undone. It takes the focus, and Escape closes it. */
export function Confirm({ question, action, onConfirm, onClose, children }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby={id} onClose={onClose}>
      <h2 id={id}>{question}</h2>
      {children}
      <div className="choices">
        <button type="button" onClick={() => dialog.current?.close()}>
          {texts.back}
        </button>
        <button
          type="button"
          className="danger"
          onClick={() => {
            onConfirm();
            dialog.current?.close();
          }}
        >
          {action}
        </button>
      </div>
    </dialog>
  );
}
