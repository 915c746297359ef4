import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
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
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch {
    throw new ConfigError([`${path}: cannot resolve its aliases`]);
  }
}

const FAULTS: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'duplicate key',
  MULTIPLE_DOCS: 'more than one document',
  TAB_AS_INDENT: 'tabs cannot be used for indentation',
};
