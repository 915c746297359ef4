import { type ReactNode, useId, useLayoutEffect, useRef } from 'react';

interface DialogProps {
  title: string;
  /** Called when the dialog is to go, by Escape too; it goes with its element. */
  onClose(): void;
  className?: string;
  children: ReactNode;
}

/**
 * A modal dialog. It takes the focus, and gives it back when it goes.
 *
 * Its owner closes it by rendering without it. The browser tells a closing later, and whoever opens it again in between would
 * have it closed by that: so nothing closes the element itself, and what is told of one that is gone is not passed on.
 */
export function Dialog({ title, onClose, className, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Before the element is removed: only one that is in the page gives the focus back.
  useLayoutEffect(() => {
    const element = dialog.current!;
    element.showModal();
    return () => element.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      className={className}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClose={({ currentTarget }) => currentTarget.isConnected && !currentTarget.open && onClose()}
    >
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}
