import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';

/** A request as a scripted BMC received it. */
export interface ScriptedRequest {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
  /** The number of the connection, from 1. */
  connection: number;
  socket: Socket;
}

/** A response; null sends none. */
export type ScriptedResponse = { status: number; headers?: Record<string, string>; body?: unknown } | null;

export type Script = (request: ScriptedRequest) => ScriptedResponse | Promise<ScriptedResponse>;

/** A BMC that a test scripts, for behaviour that the simulator lacks. */
export interface ScriptedBmc {
  url: string;
  requests: ScriptedRequest[];
  connections(): number;
  /** `METHOD path` of each request. */
  lines(): string[];
  close(): Promise<void>;
}

/** Starts a scripted BMC; port 0 is any free one. */
export async function startScriptedBmc(script: Script, tls?: TlsOptions, onPort = 0): Promise<ScriptedBmc> {
  const requests: ScriptedRequest[] = [];
  const numbers = new WeakMap<Socket, number>();
  let connections = 0;
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { socket, headers } = request;
    if (!numbers.has(socket)) numbers.set(socket, ++connections);
    const got: ScriptedRequest = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers,
      body: Buffer.concat(chunks).toString(),
      connection: numbers.get(socket) ?? 0,
      socket,
    };
    requests.push(got);
    const reply = await script(got);
    if (reply === null || socket.destroyed) return;
    const body =
      reply.body === undefined ? '' : typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body);
    response.writeHead(reply.status, {
      ...(body === '' ? {} : { 'content-type': 'application/json' }),
      ...reply.headers,
      'content-length': String(Buffer.byteLength(body)),
    });
    response.end(body);
  };
  const listener = (request: IncomingMessage, response: ServerResponse) =>
    void serve(request, response).catch(() => {});
  const server: Server = tls ? createTlsServer(tls, listener) : createServer(listener);
  // Node would close an idle connection after 5 s.
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(onPort, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    requests,
    connections: () => connections,
    lines: () => requests.map(({ method, path }) => `${method} ${path}`),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
