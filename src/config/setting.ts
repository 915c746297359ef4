import { z } from 'zod';
import { DURATION, parseDuration } from './duration.ts';

/** Metadata of a setting for the documentation, the environment, error messages and the JSON Schema. */
interface SettingMeta {
  /** How the text of an environment variable is parsed. */
  kind: 'text' | 'integer' | 'boolean' | 'duration' | 'list' | 'map' | 'json';
  /** The purpose of the setting, in sentences. */
  description: string;
  /** The allowed values, in words. */
  allowed: string;
  /** The default in words, where it depends on the machine. */
  defaultText?: string;
  /** A regular expression that the string, or each string of the list, matches; for the JSON Schema. */
  pattern?: string;
  /** Makes the JSON Schema of an item, where the type does not show it. */
  itemSchema?: () => object;
}

const registry = z.registry<SettingMeta>();

/** A string; not empty unless `isAllowed` says otherwise. */
export function textSetting(initial: string | (() => string), { isAllowed = isFilled, ...about }: TextAbout) {
  const schema = z.string().refine(isAllowed);
  return describe(schema.prefault(initial as string), { kind: 'text', pattern: '.', ...about });
}

/** An optional non-empty string; null when absent. */
export function optionalTextSetting({ isAllowed = isFilled, ...about }: TextAbout) {
  return describe(orNull(z.string().min(1).refine(isAllowed)), { kind: 'text', ...about });
}

/** Returns `schema`, with null when absent. */
export function orNull<S extends z.ZodType>(schema: S) {
  return schema.optional().transform((value) => value ?? null);
}

interface Bounds<T> {
  initial: T;
  least: T;
  most: T;
}

/** One of `choices`. */
export function choiceSetting<const T extends readonly [string, ...string[]]>(
  initial: T[number],
  choices: T,
  about: Omit<About, 'allowed'> & { allowed?: string },
) {
  return describe(z.enum(choices).prefault(initial as never), { kind: 'text', allowed: choices.join(', '), ...about });
}

/** An integer from `least` to `most`. */
export function integerSetting({ initial, least, most }: Bounds<number>, description: string) {
  const allowed = `a whole number from ${least} to ${most}`;
  return describe(z.int().min(least).max(most).prefault(initial), { kind: 'integer', description, allowed });
}

/** True or false. */
export function booleanSetting(description: string, initial = false) {
  return describe(z.boolean().prefault(initial), { kind: 'boolean', description, allowed: 'true or false' });
}

/** A duration from `least` to `most`, written as `parseDuration` reads them; the value is in ms. */
export function durationSetting({ initial, least, most }: Bounds<string>, description: string) {
  const allowed = `a duration from ${least} to ${most}, such as 500ms, 1s, 2m; a plain number is in seconds`;
  const shortest = parseDuration(least)!;
  const longest = parseDuration(most)!;
  const schema = z
    .union([z.string().regex(DURATION), z.number().min(0)])
    .transform((input, context) => {
      const milliseconds = parseDuration(input);
      if (milliseconds !== null && milliseconds >= shortest && milliseconds <= longest) return milliseconds;
      context.issues.push({ code: 'custom', input });
      return z.NEVER;
    })
    .prefault(initial);
  return describe(schema, { kind: 'duration', description, allowed });
}

/** A list of strings, each as of `textSetting`; empty by default. */
export function listSetting({ isAllowed = isFilled, ...about }: TextAbout) {
  const schema = z.array(z.string().refine(isAllowed));
  return describe(schema.prefault([]), { kind: 'list', pattern: '.', ...about });
}

/** A list as `listSetting`, for which a single string stands for a list of one. */
export function oneOrMoreSetting(initial: readonly string[], { isAllowed = isFilled, ...about }: TextAbout) {
  const item = z.string().refine(isAllowed);
  const schema = z.union([item.transform((text) => [text]), z.array(item)]);
  return describe(schema.prefault([...initial]), { kind: 'list', pattern: '.', ...about });
}

/** A map of names to `words`; empty by default. */
export function mapSetting<const T extends readonly [string, ...string[]]>(words: T, about: About) {
  return describe(z.record(z.string().min(1), z.enum(words)).prefault({}), { kind: 'map', ...about });
}

/** A list of objects of the shape `item`; empty by default. Variables hold it as JSON. */
export function objectListSetting<S extends z.ZodType>(item: S, about: About) {
  // One issue per item, worded by `about.allowed`, instead of one per member.
  const checked = z.unknown().transform((input, context): z.output<S> => {
    const outcome = item.safeParse(input);
    if (outcome.success) return outcome.data;
    context.issues.push({ code: 'custom', input });
    return z.NEVER;
  });
  return describe(z.array(checked).prefault([]), {
    kind: 'json',
    ...about,
    itemSchema: () => z.toJSONSchema(item, { io: 'input' }),
  });
}

/** A setting and its place. */
export interface Setting extends SettingMeta {
  /** The path of keys, for example `['redfish', 'request_timeout']`. */
  path: string[];
  /** The path with dots: `redfish.request_timeout`. */
  key: string;
  /** The environment variable: `PASSTHRU_REDFISH_REQUEST_TIMEOUT`. */
  variable: string;
  /** The default as the file would have it; undefined when there is none. */
  initial: unknown;
}

/** Returns the settings of `schema` in order of declaration. */
export function listSettings(schema: z.ZodObject, above: string[] = []): Setting[] {
  return Object.entries(schema.shape).flatMap(([name, member]) => {
    const path = [...above, name];
    const meta = metaOf(member as z.ZodType);
    if (meta === undefined) return listSettings(unwrapGroup(member as z.ZodType), path);
    const initial = member instanceof z.ZodPrefault ? member.def.defaultValue : undefined;
    return [{ ...meta, path, key: path.join('.'), variable: `PASSTHRU_${path.join('_').toUpperCase()}`, initial }];
  });
}

/** Returns the metadata of a setting's schema; undefined for a group or a part of a setting. */
export function metaOf(schema: z.core.$ZodType): SettingMeta | undefined {
  return registry.get(schema as z.ZodType);
}

type About = Omit<SettingMeta, 'kind'>;

type TextAbout = About & { isAllowed?: (text: string) => boolean };

function isFilled(text: string): boolean {
  return text !== '';
}

function describe<S extends z.ZodType>(schema: S, meta: SettingMeta): S {
  registry.add(schema, meta);
  return schema;
}

function unwrapGroup(member: z.ZodType): z.ZodObject {
  return (member instanceof z.ZodPrefault ? member.def.innerType : member) as z.ZodObject;
}
