import type { ReactNode } from 'react';
import { texts } from '../texts.ts';
import { Dialog } from './Dialog.tsx';

interface ConfirmProps {
  question: string;
  /** What the button says that does it. */
  action: string;
  onConfirm(): void;
  onClose(): void;
  children?: ReactNode;
}

/** Asks before something that cannot be undone. */
export function Confirm({ question, action, onConfirm, onClose, children }: ConfirmProps) {
  return (
    <Dialog title={question} onClose={onClose}>
      {children}
      <div className="choices">
        <button type="button" onClick={onClose}>
          {texts.back}
        </button>
        <button
          type="button"
          className="danger"
          onClick={() => {
            onConfirm();
            onClose();
          }}
        >
          {action}
        </button>
      </div>
    </Dialog>
  );
}
