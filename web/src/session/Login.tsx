import { type FormEvent, useState } from 'react';
import { Message } from '../parts/Message.tsx';
import { texts } from '../texts.ts';
import { basicCredentials, type Scheme, tokenCredentials } from './credentials.ts';
import { session } from './session.ts';

/** Asks for the credentials that the service wants. */
export function Login({ scheme, problem }: { scheme: Scheme; problem: string | null }) {
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const text = (name: string) => String(fields.get(name) ?? '');
    if (scheme === 'certificate' || busy) return;
    const credentials =
      scheme === 'basic' ? basicCredentials(text('user'), text('password')) : tokenCredentials(scheme, text('token'));
    setBusy(true);
    void session.logIn(credentials).finally(() => setBusy(false));
  };
  return (
    <main className="alone">
      <h1>{texts.session.logInTo}</h1>
      {problem !== null && <Message kind="error">{problem}</Message>}
      {scheme === 'certificate' ? (
        <Message kind="info">{texts.session.certificate}</Message>
      ) : (
        <form onSubmit={submit}>
          {scheme === 'basic' ? (
            <>
              <Field name="user" label={texts.session.user} autoComplete="username" />
              <Field name="password" label={texts.session.password} type="password" autoComplete="current-password" />
            </>
          ) : (
            <Field
              name="token"
              label={scheme === 'keystone' ? texts.session.keystoneToken : texts.session.bearerToken}
              help={scheme === 'keystone' ? texts.session.keystoneHelp : texts.session.bearerHelp}
              type="password"
              autoComplete="off"
            />
          )}
          <button type="submit" className="main" aria-disabled={busy || undefined}>
            {texts.session.logIn}
          </button>
        </form>
      )}
      <p className="help">{texts.session.kept}</p>
    </main>
  );
}

interface FieldProps {
  name: string;
  label: string;
  help?: string;
  type?: 'text' | 'password';
  autoComplete: string;
}

function Field({ name, label, help, type = 'text', autoComplete }: FieldProps) {
  return (
    <div className="field">
      <label htmlFor={name}>{label}</label>
      {help !== undefined && (
        <p className="help" id={`${name}-help`}>
          {help}
        </p>
      )}
      <input
        id={name}
        name={name}
        type={type}
        required
        autoComplete={autoComplete}
        spellCheck={false}
        aria-describedby={help === undefined ? undefined : `${name}-help`}
      />
    </div>
  );
}
