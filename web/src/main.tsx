import { TransportProvider } from '@connectrpc/connect-query';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Router } from 'wouter';
import { App } from './App.tsx';
import { liveNodes } from './live/nodes.ts';
import { session } from './session/session.ts';
import './style.css';

const queries = new QueryClient({
  defaultOptions: { queries: { retry: false, staleTime: 10_000, refetchOnWindowFocus: false } },
});

void session.start();

// Most visits begin with the nodes. They are asked for as soon as the caller is known: the service sends them while the page
// draws what is around them.
if (['', 'nodes'].includes(location.pathname.slice(import.meta.env.BASE_URL.length))) {
  const unsubscribe = session.subscribe(() => {
    if (session.state.status !== 'ready') return;
    unsubscribe();
    liveNodes.start();
  });
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <TransportProvider transport={session.transport}>
      <QueryClientProvider client={queries}>
        <Router base={import.meta.env.BASE_URL.replace(/\/$/, '')}>
          <App />
        </Router>
      </QueryClientProvider>
    </TransportProvider>
  </StrictMode>,
);
