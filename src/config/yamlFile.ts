import { readFileSync } from 'node:fs';
import { type Document, LineCounter, parseDocument, visit } from 'yaml';
import { isSame } from '../core/exactNumbers.ts';
import { readFault } from '../core/readFault.ts';
import { ConfigError } from './problems.ts';

/**
 * Reads the YAML file at `path`; returns null when it is empty.
 * @throws ConfigError with the file and the line; repeats no part of the file, which may hold secrets
 */
export function readYamlFile(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError([`${path}: cannot be read: ${readFault(error)}`]);
  }
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors.map(
        ({ pos, code }) => `${path}: line ${lineCounter.linePos(pos[0]).line}: ${FAULTS[code] ?? 'invalid YAML'}`,
      ),
    );
  }
  const inexact = inexactNumbers(document);
  if (inexact.length > 0) {
    throw new ConfigError(
      inexact.map((at) => {
        const { line } = lineCounter.linePos(at);
        return `${path}: line ${line}: a number that does not fit into 64 bits of floating point, or -0; write it in quotes`;
      }),
    );
  }
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch {
    throw new ConfigError([`${path}: cannot resolve its aliases`]);
  }
}

/** Returns the positions of numbers that would be read as others, such as a password of 20 digits without quotes. */
function inexactNumbers(document: Document): number[] {
  const found: number[] = [];
  visit(document, {
    Scalar(_key, { value, source, range }) {
      if (typeof value === 'number' && source !== undefined && !isKept(source, value)) found.push(range?.[0] ?? 0);
    },
  });
  return found;
}

/** Whether `value` is the number of `source` in YAML's notation (YAML 1.2.2, 10.3.2). */
function isKept(source: string, value: number): boolean {
  // Infinite and NaN are meant so; what may hold them says itself.
  if (/^[-+]?\.(?:inf|nan)$/i.test(source)) return true;
  if (/^0[ox]/.test(source)) return Number.isFinite(value) && BigInt(source) === BigInt(value);
  const [, sign, whole = '', fraction = '', exponent = ''] =
    /^([-+]?)(\d*)(?:\.(\d*))?(e[-+]?\d+)?$/i.exec(source) ?? [];
  return isSame(`${sign === '-' ? '-' : ''}${whole || '0'}${fraction === '' ? '' : `.${fraction}`}${exponent}`, value);
}

const FAULTS: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'duplicate key',
  MULTIPLE_DOCS: 'more than one document',
  TAB_AS_INDENT: 'tabs cannot be used for indentation',
};
