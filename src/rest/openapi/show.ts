import { type Exchange, enter, type Handler } from '../context.ts';
import { readQuery } from '../query.ts';
import { sendBody } from '../response.ts';
import type { Route } from '../router.ts';
import { openApiDocument } from './document.ts';

/** GET /openapi.json: what `routes` answers, which it is itself in. The document is made once for each service. */
export function showOpenApi(routes: () => readonly Route[]): Handler {
  const made = new WeakMap<Exchange['guardedCore'], string>();
  return (exchange) => {
    readQuery(exchange.rawQuery);
    const core = enter(exchange);
    let document = made.get(core);
    if (document === undefined) {
      document = JSON.stringify(openApiDocument(routes(), core.drivers.list(), exchange.access));
      made.set(core, document);
    }
    sendBody(exchange, 200, 'application/json', document);
  };
}
