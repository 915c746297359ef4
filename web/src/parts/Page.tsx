import { type ReactNode, useEffect } from 'react';
import { texts } from '../texts.ts';

interface PageProps {
  title: string;
  /** Stands beside the title. */
  actions?: ReactNode;
  /** Whether the page fills the window, and its content scrolls in itself. */
  fill?: boolean;
  children: ReactNode;
}

export function Page({ title, actions, fill = false, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · ${texts.product}`;
  }, [title]);
  return (
    <div className={fill ? 'page fill' : 'page'}>
      <div className="heading">
        <h1>{title}</h1>
        {actions !== undefined && <div className="actions">{actions}</div>}
      </div>
      {children}
    </div>
  );
}
