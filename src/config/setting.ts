import { z } from 'zod';
import { parseDuration } from './duration.ts';

/** What the documentation, the environment and the messages need to know of a setting beside its type. */
export interface SettingMeta {
  /** How a text from the environment becomes the value. */
  kind: 'text' | 'integer' | 'duration' | 'list' | 'map' | 'json';
  /** What the setting does. */
  description: string;
  /** The values that are allowed, in words. */
  allowed: string;
  /** What the default is, in words, where it is not the same everywhere. */
  defaultText?: string;
}

const registry = z.registry<SettingMeta>();

/** A text of which `isAllowed` says whether it will do. */
export function textSetting(initial: string | (() => string), isAllowed: (text: string) => boolean, about: About) {
  return describe(
    z
      .string()
      .refine(isAllowed)
      .prefault(initial as string),
    { kind: 'text', ...about },
  );
}

/** A text that may be absent; then null. One that is there must not be empty, and be allowed by `isAllowed`. */
export function optionalTextSetting(about: About, isAllowed: (text: string) => boolean = () => true) {
  const schema = z
    .string()
    .min(1)
    .refine(isAllowed)
    .optional()
    .transform((text) => text ?? null);
  return describe(schema, { kind: 'text', ...about });
}

/** One of a few words. */
export function choiceSetting<const T extends readonly [string, ...string[]]>(
  initial: T[number],
  choices: T,
  about: Omit<About, 'allowed'> & { allowed?: string },
) {
  return describe(z.enum(choices).prefault(initial as never), { kind: 'text', allowed: choices.join(', '), ...about });
}

/** A whole number from `least` to `most`. */
export function integerSetting(initial: number, least: number, most: number, description: string) {
  const allowed = `a whole number from ${least} to ${most}`;
  return describe(z.int().min(least).max(most).prefault(initial), { kind: 'integer', description, allowed });
}

/** A time from `least` to `most`, both and the default as `parseDuration` reads them; its value is milliseconds. */
export function durationSetting(initial: string, least: string, most: string, description: string) {
  const allowed = `a duration from ${least} to ${most}, such as 500ms, 1s, 2m; a plain number is seconds`;
  const shortest = parseDuration(least)!;
  const longest = parseDuration(most)!;
  const schema = z
    .union([z.string(), z.number()])
    .transform((input, context) => {
      const milliseconds = parseDuration(input);
      if (milliseconds !== null && milliseconds >= shortest && milliseconds <= longest) return milliseconds;
      context.issues.push({ code: 'custom', input });
      return z.NEVER;
    })
    .prefault(initial);
  return describe(schema, { kind: 'duration', description, allowed });
}

/** A list of texts of which `isAllowed` says whether each will do; empty by default. */
export function listSetting(isAllowed: (text: string) => boolean, about: About) {
  return describe(z.array(z.string().refine(isAllowed)).prefault([]), { kind: 'list', ...about });
}

/** As `listSetting`, where one text alone stands for a list of one. Each item and the default are checked. */
export function oneOrMoreSetting(initial: readonly string[], isAllowed: (text: string) => boolean, about: About) {
  const item = z.string().refine(isAllowed);
  const schema = z.union([item.transform((text) => [text]), z.array(item)]).prefault([...initial]);
  return describe(schema, { kind: 'list', ...about });
}

/** Names, each with one of a few words; empty by default. */
export function mapSetting<const T extends readonly [string, ...string[]]>(words: T, about: About) {
  return describe(z.record(z.string().min(1), z.enum(words)).prefault({}), { kind: 'map', ...about });
}

/** A list of what `item` describes; empty by default. A variable holds it as JSON. */
export function objectListSetting<S extends z.ZodType>(item: S, about: About) {
  // Whole or not at all: one fault an item, told as `about.allowed`.
  const checked = z.unknown().transform((input, context): z.output<S> => {
    const outcome = item.safeParse(input);
    if (outcome.success) return outcome.data;
    context.issues.push({ code: 'custom', input });
    return z.NEVER;
  });
  return describe(z.array(checked).prefault([]), { kind: 'json', ...about });
}

/** One setting and where it stands. */
export interface Setting extends SettingMeta {
  /** The keys that lead to it, for example `['redfish', 'request_timeout']`. */
  path: string[];
  /** `path` as it is written in texts: `redfish.request_timeout`. */
  key: string;
  /** The environment variable: `PASSTHRU_REDFISH_REQUEST_TIMEOUT`. */
  variable: string;
  /** What it is when it is not set, as it would be written in the file; undefined when it is then absent. */
  initial: unknown;
}

/** The settings of `schema` in the order of their writing, those in groups after the group's name. */
export function listSettings(schema: z.ZodObject, above: string[] = []): Setting[] {
  return Object.entries(schema.shape).flatMap(([name, member]) => {
    const path = [...above, name];
    const meta = registry.get(member as z.ZodType);
    if (meta === undefined) return listSettings(unwrapGroup(member as z.ZodType), path);
    const initial = member instanceof z.ZodPrefault ? member.def.defaultValue : undefined;
    return [{ ...meta, path, key: path.join('.'), variable: `PASSTHRU_${path.join('_').toUpperCase()}`, initial }];
  });
}

type About = Omit<SettingMeta, 'kind'>;

function describe<S extends z.ZodType>(schema: S, meta: SettingMeta): S {
  registry.add(schema, meta);
  return schema;
}

function unwrapGroup(member: z.ZodType): z.ZodObject {
  return (member instanceof z.ZodPrefault ? member.def.innerType : member) as z.ZodObject;
}
