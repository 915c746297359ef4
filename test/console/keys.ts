import type { Page } from 'playwright-core';
import { expect } from 'vitest';

/** More controls than any page of the tests has. */
const MOST = 400;

/** The element that has the focus. */
export interface Focused {
  /** Its role or tag, and its name. */
  name: string;
  /** The number that `number` gave it; null for one that is no control, such as the page itself. */
  control: number | null;
  isVisible: boolean;
}

/** Runs in the page: its functions are found in `window.keys`. */
const SCRIPT = `window.keys = {
  name(element) {
    const byId = (element.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '');
    const labels = [...(element.labels ?? [])].map((label) => label.textContent);
    const text = element.getAttribute('aria-label') ?? [byId.join(' ').trim(), labels.join(' '), element.textContent, element.title].find((one) => one?.trim());
    return (text ?? '').replace(/\\s+/g, ' ').trim();
  },
  /** Returns what the keyboard has to reach: of a list of tabs the selected one, from which the arrow keys lead on. */
  controls() {
    const holder = document.querySelector('dialog[open]') ?? document;
    return [...holder.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')].filter(
      (element) =>
        element.tabIndex >= 0 && !element.disabled && element.checkVisibility({ visibilityProperty: true }),
    );
  },
  number() {
    keys.numbered = keys.controls();
    return keys.numbered.map((element) => element.tagName.toLowerCase() + ' ' + keys.name(element));
  },
  focused() {
    const element = document.activeElement;
    if (element === null || element === document.body) return null;
    const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(element);
    const { left, top, right, bottom, width, height } = element.getBoundingClientRect();
    // The middle of the part of it that the window shows.
    const x = (Math.max(0, left) + Math.min(innerWidth, right)) / 2;
    const y = (Math.max(0, top) + Math.min(innerHeight, bottom)) / 2;
    const seen = document.elementFromPoint(x, y);
    const uncovered = seen !== null && (element.contains(seen) || seen.contains(element) || element.labels?.[0]?.contains(seen));
    const outlined = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 && !/, 0\\)$/.test(outlineColor);
    const index = (keys.numbered ?? []).indexOf(element);
    return {
      name: element.tagName.toLowerCase() + ' ' + keys.name(element),
      control: index === -1 ? null : index,
      isVisible: outlined && Boolean(uncovered) && width > 0 && height > 0 && right > 0 && bottom > 0 && left < innerWidth && top < innerHeight,
    };
  },
}`;

/** Returns what has the focus; null when nothing has it. */
export async function focused(page: Page): Promise<Focused | null> {
  await page.evaluate(`window.keys ?? (${SCRIPT})`);
  return (await page.evaluate('keys.focused()')) as Focused | null;
}

/** Presses Tab until the control named `name`, as it begins or as a whole, has the focus. */
export async function tabTo(page: Page, name: string | RegExp, key = 'Tab'): Promise<void> {
  const met: string[] = [];
  for (let step = 0; step < MOST; step++) {
    await page.keyboard.press(key);
    const at = await focused(page);
    const own = at?.name.replace(/^\S+ /, '') ?? '';
    if (typeof name === 'string' ? own === name : name.test(own)) {
      expect(at, 'its focus is visible').toMatchObject({ isVisible: true });
      return;
    }
    met.push(at?.name ?? '(nothing)');
    // Round the page.
    if (met.length > 2 && met.filter((one) => one === met[0]).length > 3) break;
  }
  throw new Error(`Tab does not reach ${name}: ${met.join(', ')}`);
}

/**
 * Goes through the page, or the dialog that is open, by Tab: every control is reached once, in order, its focus can be seen, and
 * the last lets go of it. Then goes back by Shift+Tab.
 */
export async function expectReachable(page: Page): Promise<void> {
  await focused(page);
  const isDialog = (await page.evaluate('document.querySelector("dialog[open]") !== null')) as boolean;
  const names = (await page.evaluate('keys.number()')) as string[];
  expect(names.length).toBeGreaterThan(0);
  await page.evaluate('document.activeElement?.blur()');
  for (const [key, order] of [
    ['Tab', names.map((_, index) => index)],
    ['Shift+Tab', names.map((_, index) => index).reverse()],
  ] as const) {
    // To the first: where the walk begins depends on what was clicked last.
    let at: Focused | null = null;
    for (let step = 0; step <= 2 * names.length + 2 && at?.control !== order[0]; step++) {
      await page.keyboard.press(key);
      at = await focused(page);
    }
    const met: Focused[] = [];
    for (let step = 0; step < names.length; step++) {
      if (at !== null) met.push(at);
      await page.keyboard.press(key);
      at = await focused(page);
    }
    expect(met.map(({ name }) => name)).toEqual(order.map((index) => names[index]));
    expect(met.filter(({ isVisible }) => !isVisible)).toEqual([]);
    // A dialog goes round, a page lets go, or goes round too.
    if (isDialog) expect(at === null || at.control !== null, 'the dialog keeps the focus').toBe(true);
    else expect(at === null || at.control === order[0], `${at?.name} lets go of the focus`).toBe(true);
  }
}
