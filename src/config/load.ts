import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { isJsonObject } from '../core/json.ts';
import { readEnvironment } from './environment.ts';
import { ConfigError, showValue, suggestion } from './problems.ts';
import { type Config, configSchema, resolvePaths, SETTINGS } from './schema.ts';
import type { Setting } from './setting.ts';
import { readYamlFile } from './yamlFile.ts';

/** The sources of the configuration. */
interface ConfigSources {
  /** The path of the YAML file; null for none. */
  file: string | null;
  /** Its variables take precedence over the file. */
  environment: NodeJS.ProcessEnv;
}

/**
 * Loads and validates the configuration. Relative paths are resolved from the directory of the file, or from the
 * working directory when there is no file.
 * @throws ConfigError with all problems at once
 */
export function loadConfig(sources: ConfigSources): Config {
  const { file } = sources;
  const content = file === null ? {} : (readYamlFile(file) ?? {});
  if (!isJsonObject(content)) throw new ConfigError([`${file}: must be a mapping of keys to values`]);

  const { values, problems } = readEnvironment(sources.environment, SETTINGS);
  const merged: Record<string, unknown> = structuredClone(content);
  for (const [setting, value] of values) set(merged, setting.path, value);

  const outcome = configSchema.safeParse(merged, { jitless: true });
  if (outcome.success && problems.length === 0) {
    return resolvePaths(outcome.data, file === null ? process.cwd() : dirname(resolve(file)));
  }
  const fromEnvironment = new Set(values.keys());
  const issues = outcome.success ? [] : outcome.error.issues;
  const described = issues.flatMap((issue) => describeIssue(issue, merged, file ?? 'configuration', fromEnvironment));
  // A value that fails several checks of its key, as an empty text does, is one problem.
  throw new ConfigError([...new Set([...described, ...problems])]);
}

function describeIssue(
  issue: z.core.$ZodIssue,
  content: Record<string, unknown>,
  file: string,
  fromEnvironment: Set<Setting>,
): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => `${file}: ${describeUnknownKey([...issue.path.map(String), name], content)}`);
  }
  const value = showValue(String(issue.path.at(-1)), get(content, issue.path));
  const key = issue.path.reduce<string>(
    (text, part) => text + (typeof part === 'number' ? `[${part}]` : text === '' ? String(part) : `.${String(part)}`),
    '',
  );
  const setting = SETTINGS.find(({ path }) => path.every((part, depth) => issue.path[depth] === part));
  if (setting === undefined)
    return [`${file}: ${key}: ${value} is not allowed; allowed: a mapping with the keys ${keysIn(key).join(', ')}`];
  const source = fromEnvironment.has(setting) ? setting.variable : `${file}: ${key}`;
  const isWorded = issue.code === 'custom' && issue.message !== 'Invalid input';
  if (isWorded && get(content, issue.path) === undefined) return [`${source}: missing; ${issue.message}`];
  const allowed = isWorded ? issue.message : setting.allowed;
  return [`${source}: ${value} is not allowed; allowed: ${allowed}`];
}

function describeUnknownKey(path: string[], content: Record<string, unknown>): string {
  const group = path.slice(0, -1).join('.');
  const name = path.at(-1)!;
  const siblings = keysIn(group);
  // A key of another group, or a misspelt one.
  const elsewhere = SETTINGS.find(({ path: other }) => other.at(-1) === name);
  const advice = elsewhere === undefined ? suggestion(name, siblings) : `did you mean ${elsewhere.key}?`;
  return `${path.join('.')}: unknown key (value: ${showValue(name, get(content, path))}); ${advice}`;
}

/** Returns the names of the keys directly in `group`; `''` is the top level. */
function keysIn(group: string): string[] {
  const depth = group === '' ? 0 : group.split('.').length;
  const within = SETTINGS.filter(({ path }) => path.length > depth && path.slice(0, depth).join('.') === group);
  return [...new Set(within.map(({ path }) => path[depth]!))];
}

function get(content: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, part) => (value as Record<PropertyKey, unknown> | undefined)?.[part], content);
}

function set(content: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let group = content;
  for (const part of path.slice(0, -1)) {
    // Anything else in place of a group is an error of the file, which the schema reports.
    group[part] ??= {};
    if (!isJsonObject(group[part])) return;
    group = group[part];
  }
  group[path.at(-1)!] = value;
}
