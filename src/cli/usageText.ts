// What the command says of a command line that it cannot parse.
import { nearest } from '../config/problems.ts';
import { visible } from '../process/terminalText.ts';

/** commander's message for a value that an option or an argument does not take. */
const INVALID_VALUE =
  /^error: (?:option '(?:-\w, )?(--[\w-]+)[^']*' argument|command-argument value) '(.*)' is invalid(?: for argument '([^']+)')?\. (.*)$/s;

/** The beginnings of commander's messages; a command may print others through it. */
const USAGE = /^error: (?:unknown|missing required|too many|required option|option '|command-argument)/;

const CHOICES = /^Allowed choices are (.*)\.$/s;

/**
 * Returns commander's error `text` in the form of the command's other errors: the option, the value, what is allowed, then
 * which help says more.
 * @param path the words of the command, without `passthru`
 */
export function usageText(text: string, path: readonly string[]): string {
  const message = text.trimEnd().replace(/\n\((Did you mean .*\?)\)$/, '. $1');
  if (!USAGE.test(message)) return `${visible(message)}\n`;
  const [, option, value = '', argument, rule = ''] = INVALID_VALUE.exec(message) ?? [];
  const what = option ?? argument;
  const help = `  See: ${['passthru', ...path, '--help'].join(' ')}\n`;
  if (what === undefined) return `${visible(message)}\n${help}`;
  const choices = CHOICES.exec(rule)?.[1]?.split(', ');
  const shown = `error: ${what}: "${visible(value.slice(0, 255))}" is not allowed`;
  if (choices === undefined) return `${shown}. ${rule}\n${help}`;
  const meant = nearest(value.slice(0, 255), choices);
  const guess = meant === null ? '' : `. Did you mean ${meant}?`;
  return `${shown}; allowed: ${choices.join(', ')}${guess}\n${help}`;
}
