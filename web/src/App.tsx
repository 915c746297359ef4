// The page as a whole: who is logged in, the navigation, and the page that the address names.
import { Suspense, useEffect, useRef } from 'react';
import { Link, Redirect, Route, Switch, useLocation } from 'wouter';
import { link } from './live/link.ts';
import { PAGES } from './pages.tsx';
import { Boundary } from './parts/Boundary.tsx';
import { useChanges } from './parts/emitter.ts';
import { Message } from './parts/Message.tsx';
import { Page } from './parts/Page.tsx';
import { Login } from './session/Login.tsx';
import { session } from './session/session.ts';
import { texts } from './texts.ts';

export function App() {
  useChanges(session);
  const { state } = session;
  if (state.status === 'ready') return <Shell />;
  if (state.status === 'login') return <Login scheme={state.scheme} problem={state.problem} />;
  if (state.status === 'refused') return <Refused problem={state.problem} />;
  return (
    <main className="alone" aria-busy="true">
      <h1>{texts.product}</h1>
      <p role="status">{state.status === 'checking' ? texts.session.checking : texts.session.unreachable}</p>
    </main>
  );
}

function Refused({ problem }: { problem: string }) {
  return (
    <main className="alone">
      <h1>{texts.session.refused}</h1>
      <Message kind="error">{problem}</Message>
      <button type="button" onClick={() => session.logOut()}>
        {texts.session.logOut}
      </button>
    </main>
  );
}

function Shell() {
  const [path] = useLocation();
  const content = useRef<HTMLElement>(null);
  const shown = useRef(path);
  useEffect(() => {
    // As after a page load by the browser: reading goes on at the top of the new page.
    if (shown.current !== path) content.current?.focus();
    shown.current = path;
  }, [path]);
  return (
    <div className="shell">
      <a className="skip" href="#content">
        {texts.skip}
      </a>
      <header className="bar">
        <Link href="/" className="brand">
          {texts.product}
        </Link>
        <nav aria-label={texts.navigation}>
          {PAGES.filter(({ name }) => name !== undefined).map((page) => (
            <Link
              key={page.path}
              href={page.path}
              aria-current={path === page.path || path.startsWith(`${page.path}/`) ? 'page' : undefined}
            >
              {page.name}
            </Link>
          ))}
        </nav>
        <Who />
      </header>
      <Connection />
      <main id="content" ref={content} tabIndex={-1}>
        <Boundary key={path}>
          {/* For a page that is loaded when it is first shown. */}
          <Suspense fallback={<p className="page">{texts.loading}</p>}>
            <Switch>
              <Route path="/">
                <Redirect to={PAGES[0]!.path} replace />
              </Route>
              {PAGES.map((page) => (
                <Route key={page.path} path={page.path} component={page.component} />
              ))}
              <Route>
                <Page title={texts.notFound}>
                  <Link href="/">{texts.home}</Link>
                </Page>
              </Route>
            </Switch>
          </Suspense>
        </Boundary>
      </main>
    </div>
  );
}

function Who() {
  const { state } = session;
  if (state.status !== 'ready') return null;
  return (
    <div className="who">
      {state.scheme !== null && (
        <span className="name" title={state.name}>
          {state.name}
        </span>
      )}
      <span>{texts.session.role(state.role)}</span>
      {state.scheme !== null && state.scheme !== 'certificate' && (
        <button type="button" className="quiet" onClick={() => session.logOut()}>
          {texts.session.logOut}
        </button>
      )}
    </div>
  );
}

/** Says that the service cannot be reached, until it can. */
function Connection() {
  useChanges(link);
  return (
    <div role="status" className={link.up ? 'connection' : 'connection lost'}>
      {link.up ? '' : texts.connectionLost}
    </div>
  );
}
