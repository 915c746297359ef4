import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { ConfigError } from './problems.ts';
import { readFault } from './watchedFile.ts';

/**
 * The value of the YAML file at `path`; null when it is empty.
 * @throws ConfigError that names the file and the line, and repeats no part of the file: it may hold secrets
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
        ({ pos, code }) =>
          `${path}: line ${lineCounter.linePos(pos[0]).line}: ${FAULTS[code] ?? 'is not well-formed YAML'}`,
      ),
    );
  }
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch {
    throw new ConfigError([`${path}: its aliases cannot be resolved`]);
  }
}

const FAULTS: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'the key stands twice',
  MULTIPLE_DOCS: 'there is more than one document',
  TAB_AS_INDENT: 'a tab cannot indent',
};
