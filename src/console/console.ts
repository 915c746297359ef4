// The console: serves the files of the web page, and nothing else. The page calls the public API like any other client.
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HttpHandler, HttpRequest, HttpResponse } from '../http/message.ts';

/** The path of the page; everything below it belongs to the console. */
export const CONSOLE_PATH = '/console/';

/** The built page, as `npm run build:console` leaves it: beside `src` in a checkout, beside `dist` in the package. */
const BUILT = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../web/dist/' : '../../../web/dist/', import.meta.url),
);

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * On every response. Only files of this origin are run, shown and connected to; Trusted Types make a browser refuse a text
 * that is used as markup; no page may frame the console, and none that opens it gets hold of its window.
 */
const HEADERS: readonly (readonly [string, string])[] = [
  [
    'Content-Security-Policy',
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
      "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  ],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
  ['Referrer-Policy', 'no-referrer'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Permissions-Policy', 'camera=(), geolocation=(), microphone=(), payment=(), usb=()'],
];

/** Files with a hash of their content in their name: a name never gets another content. */
const HASHED = /^assets\//;

/** A path that the page may show as its address: no segment begins with a dot, and nothing is encoded that would hide one. */
const PAGE = /^(?!assets\/|\/)(?!.*(?:^|\/)\.)(?!.*(?:%2e|%2f|%5c|%00|\\|\/\/))/i;

interface ConsoleFile {
  path: string;
  mediaType: string;
  /** Whether there is a compressed copy beside it, with `.gz` after its name. */
  compressed: boolean;
}

/**
 * Returns a handler of the paths below `CONSOLE_PATH`. It looks a path up among the names of the files that were built, so
 * that no request names a file; every other address is one of the page, which shows what it stands for.
 * @param folder the built page; its files are listed at the first request
 */
export function createConsole(folder: string = BUILT): HttpHandler {
  let listed: Promise<ReadonlyMap<string, ConsoleFile>> | undefined;
  return (request, response) => {
    for (const [name, value] of HEADERS) response.setHeader(name, value);
    listed ??= listFiles(folder);
    serve(request, response, listed).catch(() => {
      if (response.headersSent) response.destroy();
      else sendText(response, 500, 'The files of the console cannot be read.');
    });
  };
}

async function serve(
  request: HttpRequest,
  response: HttpResponse,
  listed: Promise<ReadonlyMap<string, ConsoleFile>>,
): Promise<void> {
  const { method, url = '' } = request;
  if (method !== 'GET' && method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    return sendText(response, 405, 'The console is read by GET.');
  }
  const [path = ''] = url.split('?', 1);
  if (path === '/console') {
    response.setHeader('Location', CONSOLE_PATH);
    return sendText(response, 308, '');
  }
  const files = await listed;
  const name = path.slice(CONSOLE_PATH.length);
  const file = files.get(name) ?? (PAGE.test(name) ? files.get('index.html') : undefined);
  if (file !== undefined) return sendFile(request, response, file, HASHED.test(name));
  const built = files.has('index.html');
  sendText(response, 404, built ? 'Not found.' : 'The console is not built: run npm run build:console.');
}

async function sendFile(
  { method, headers }: HttpRequest,
  response: HttpResponse,
  { path, mediaType, compressed }: ConsoleFile,
  isHashed: boolean,
): Promise<void> {
  response.setHeader('Content-Type', mediaType);
  response.setHeader('Cache-Control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
  let content = path;
  if (compressed) {
    response.setHeader('Vary', 'Accept-Encoding');
    if (/\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i.test(String(headers['accept-encoding'] ?? ''))) {
      response.setHeader('Content-Encoding', 'gzip');
      content += '.gz';
    }
  }
  const body = await readFile(content);
  response.setHeader('Content-Length', body.length);
  response.statusCode = 200;
  if (method === 'HEAD') response.end();
  else response.end(body);
}

function sendText(response: HttpResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  response.end(text);
}

/** Returns the files of `folder` by their path within it; none when the console has not been built. */
async function listFiles(folder: string): Promise<ReadonlyMap<string, ConsoleFile>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const names = new Set(paths);
  const files = new Map<string, ConsoleFile>();
  for (const path of paths) {
    const mediaType = MEDIA_TYPES[extname(path)];
    if (mediaType === undefined) continue;
    const name = path.slice(join(folder, '/').length).replaceAll('\\', '/');
    files.set(name, { path, mediaType, compressed: names.has(`${path}.gz`) });
  }
  return files;
}
