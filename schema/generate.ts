import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { z } from 'zod';
import { configKeys, SETTINGS } from '../src/config/schema.ts';
import { metaOf, type Setting } from '../src/config/setting.ts';

const ROOT = new URL('../', import.meta.url);

/** Where editors find the schema. */
const ID = 'https://passthru.example/schema/passthru.schema.json';

/** Returns the contents of the files that are made from the configuration's keys, by path from the project's root. */
export function generateConfigFiles(): Record<string, string> {
  const page = readFileSync(new URL('docs/configuration.md', ROOT), 'utf8');
  return {
    'schema/passthru.schema.json': `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
    'examples/passthru.yaml': exampleFile(),
    'docs/configuration.md': page.replace(
      /(<!-- settings -->\n)[\s\S]*?(\n<!-- end of settings -->)/,
      (_, start: string, end: string) => `${start}${settingsTable()}${end}`,
    ),
  };
}

/** Returns the JSON Schema (draft 2020-12) of the configuration file. What holds between keys is checked at the start. */
function configJsonSchema(): object {
  const { $schema, ...schema } = z.toJSONSchema(configKeys, {
    io: 'input',
    // Strings with a transform or a custom check are still strings.
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      const meta = metaOf(zodSchema);
      if (meta === undefined) {
        // A group is optional; its default is that of its keys.
        delete jsonSchema.default;
        return;
      }
      if (meta.defaultText !== undefined) delete jsonSchema.default;
      jsonSchema.description = `${meta.description} Allowed: ${meta.allowed}.`;
      if (meta.itemSchema !== undefined) {
        const { $schema: _, ...items } = meta.itemSchema() as z.core.JSONSchema.ObjectSchema;
        jsonSchema.items = items;
      }
      if (meta.pattern !== undefined) addPattern(jsonSchema, meta.pattern);
    },
  });
  return { $schema, $id: ID, title: 'Configuration of passthru', ...schema };
}

/** Adds `pattern` to the strings of `schema`: itself, its items or its alternatives. */
function addPattern(schema: z.core.JSONSchema.BaseSchema, pattern: string): void {
  if (schema.type === 'string') schema.pattern = pattern;
  for (const part of [schema.items, ...(schema.anyOf ?? [])]) {
    if (typeof part === 'object' && !Array.isArray(part)) addPattern(part, pattern);
  }
}

function settingsTable(): string {
  return ['| Key and variable | Default | Description |', '| --- | --- | --- |', ...SETTINGS.map(tableRow)].join('\n');
}

function tableRow({ key, variable, initial, defaultText, description, allowed }: Setting): string {
  const byDefault =
    defaultText ??
    (initial === undefined ? 'none' : `\`${typeof initial === 'string' ? initial : JSON.stringify(initial)}\``);
  return `| \`${key}\`<br>\`${variable}\` | ${byDefault} | ${description} Allowed: ${allowed}. |`;
}

/** Example values of keys without a default. */
const EXAMPLES: Readonly<Record<string, unknown>> = {
  nodes_file: './nodes.yaml',
  'auth.http_basic_auth_user_file': './users',
  'auth.keystone.auth_url': 'https://keystone.example:5000',
  'auth.keystone.www_authenticate_uri': 'https://keystone.example:5000',
  'auth.keystone.username': 'passthru',
  'auth.keystone.password': 'secret',
  'auth.keystone.project_name': 'service',
  'auth.jwt.jwks_url': 'https://issuer.example/.well-known/jwks.json',
  'auth.jwt.jwks_file': './jwks.json',
  'auth.jwt.issuer': 'https://issuer.example',
  'tls.cert_file': './cert.pem',
  'tls.key_file': './key.pem',
  'tls.client_ca_file': './clients-ca.pem',
  'secrets.key_file': './secrets.key',
  // A placeholder, which the service refuses.
  'secrets.encryption_keys': 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
  host: 'passthru-1.example',
  'metrics.listen': '127.0.0.1:9385',
  'events.listen': '192.0.2.10:6386',
  'events.url': 'https://events.example:6386',
  'events.tls.cert_file': './events-tls.crt',
  'events.tls.key_file': './events-tls.key',
  'events.webhook.url': 'https://receiver.example/events',
  'events.webhook.secret_file': './webhook.secret',
  'tracing.otlp_endpoint': 'http://127.0.0.1:4318',
};

/** Returns a configuration file with every key: the defaults, and as comments what has none. */
function exampleFile(): string {
  const lines = [
    '# yaml-language-server: $schema=../schema/passthru.schema.json',
    '#',
    '# Every key of the configuration with its default. A key without a default is commented out and shows an example.',
    '# Made by `npm run generate:config`; see docs/configuration.md.',
  ];
  let groups: readonly string[] = [];
  for (const { path, key, initial, defaultText, description, allowed } of SETTINGS) {
    const above = path.slice(0, -1);
    lines.push(...(above.length === 0 || above.join() !== groups.join() ? [''] : []));
    above.forEach((group, depth) => {
      if (groups[depth] === group && groups.slice(0, depth).join() === above.slice(0, depth).join()) return;
      const prefix = `${above.slice(0, depth + 1).join('.')}.`;
      const members = SETTINGS.filter((setting) => setting.key.startsWith(prefix));
      // A group without a value would be null.
      const isEmpty = members.every((member) => member.initial === undefined || member.defaultText !== undefined);
      lines.push(`${'  '.repeat(depth)}${isEmpty ? '#' : ''}${group}:`);
    });
    groups = above;
    const indent = '  '.repeat(above.length);
    const isSet = initial !== undefined && defaultText === undefined;
    const value = stringify(isSet ? initial : EXAMPLES[key], {
      collectionStyle: 'flow',
      lineWidth: 0,
      flowCollectionPadding: false,
    }).trim();
    lines.push(...wrap(`${description} Allowed: ${allowed}.`, 110).map((line) => `${indent}# ${line}`));
    lines.push(`${indent}${isSet ? '' : '#'}${path.at(-1)}: ${value}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Breaks `text` at blanks into lines of at most `width` characters. */
function wrap(text: string, width: number): string[] {
  return text.match(new RegExp(`.{1,${width}}(?:\\s|$)`, 'g'))!.map((line) => line.trimEnd());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, content] of Object.entries(generateConfigFiles())) writeFileSync(new URL(path, ROOT), content);
}
