import { Component, type ReactNode } from 'react';
import { texts } from '../texts.ts';
import { Message } from './Message.tsx';

/** Keeps a page that cannot be shown, or loaded, from taking the others with it. */
export class Boundary extends Component<{ children: ReactNode }, { problem: string | null }> {
  override state = { problem: null };

  static getDerivedStateFromError(error: unknown) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }

  override render(): ReactNode {
    const { problem } = this.state;
    if (problem === null) return this.props.children;
    return (
      <div className="page">
        <Message kind="error">
          <p>{texts.failed}</p>
          <p>{problem}</p>
        </Message>
        <button type="button" onClick={() => location.reload()}>
          {texts.reload}
        </button>
      </div>
    );
  }
}
