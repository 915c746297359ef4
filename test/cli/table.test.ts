import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { columnsThatFit, drawTable } from '../../src/cli/print/table.ts';
import { cutToWidth, textWidth, wrapLine } from '../../src/cli/print/textWidth.ts';

/** Texts of every kind that a name, a message or an image's URL may be. */
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({
    unit: fc.constantFrom('a', ' ', '\n', '\t', '漢', '한', 'ｱ', '👩‍🔧', '🇩🇪', '❤️', 'é', '\u0301', '\u001b[2J'),
  }),
  fc.constantFrom('11111111-1111-4111-8111-111111111111', 'None', '', '\u009b31mred', '\u202egnp.exe', '🏴󠁧󠁢󠁥󠁮󠁧󠁿'),
);

const table = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 5 }))
  .chain(([columns, rows]) =>
    fc.tuple(
      fc.array(text, { minLength: columns, maxLength: columns }),
      fc.array(fc.array(text, { minLength: columns, maxLength: columns }), { minLength: rows, maxLength: rows }),
      fc.integer({ min: 5 * columns + 1, max: 120 }),
      fc.array(fc.boolean(), { maxLength: columns }),
    ),
  );

/** What a terminal obeys. */
const OBEYED = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

test('a table is never wider than its terminal, all its lines are equally long, and nothing in it is obeyed', () => {
  fc.assert(
    fc.property(table, ([columns, rows, width, right]) => {
      const drawn = drawTable(columns, rows, { width, right });
      const lines = drawn.split('\n').slice(0, -1);
      expect(lines.length === 0).toBe(rows.length === 0);
      for (const line of lines) {
        expect(textWidth(line)).toBeLessThanOrEqual(width);
        expect(textWidth(line)).toBe(textWidth(lines[0]!));
        expect(line).not.toMatch(OBEYED);
      }
    }),
  );
});

test('a wrapped line loses no character but the blanks at which it was broken', () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 2, max: 40 }), (given, cells) => {
      const line = given.replaceAll(/[\p{Cc}]/gu, '');
      const lines = wrapLine(line, cells);
      for (const one of lines) expect(textWidth(one)).toBeLessThanOrEqual(cells);
      expect(lines.join('').replaceAll(' ', '')).toBe(line.replaceAll(' ', ''));
      expect(line.startsWith(cutToWidth(line, cells))).toBe(true);
      expect(textWidth(cutToWidth(line, cells))).toBeLessThanOrEqual(cells);
    }),
  );
});

test('the columns that fit are drawn without broken words', () => {
  fc.assert(
    fc.property(table, ([columns, rows, width]) => {
      const kept = columnsThatFit(columns, rows, width);
      if (kept === null) return;
      expect(kept).toEqual(kept.toSorted((a, b) => a - b));
      const drawn = drawTable(
        kept.map((at) => columns[at]!),
        rows.map((row) => kept.map((at) => row[at]!)),
        { width },
      );
      for (const row of rows) {
        for (const word of row[0]!.split(/[ \n]/)) {
          // Words of more than 40 cells may be broken.
          if (/^[\x21-\x7e]{0,40}$/.test(word)) expect(drawn).toContain(word);
        }
      }
    }),
  );
});

describe('textWidth', () => {
  test.each([
    ['plain', 5],
    ['', 0],
    ['漢字', 4],
    ['ＡＢ', 4],
    ['ｱｲ', 2],
    ['한국어', 6],
    ['é', 1],
    ['e\u0301', 1],
    ['🔥', 2],
    ['❤', 1],
    ['❤️', 2],
    ['🇩🇪', 2],
    ['עברית', 5],
    ['…·€', 3],
    // As wide as the terminals that do not join them draw them.
    ['👩‍🔧', 4],
  ])('of %s is %i cells', (given, cells) => {
    expect(textWidth(given)).toBe(cells);
  });
});

test('wide characters move the border by two cells, and a name of them is broken between them', () => {
  expect(drawTable(['Name', 'Ok'], [['機架七', 'a']], { width: 15 })).toBe(`\
+--------+----+
| Name   | Ok |
+--------+----+
| 機架七 | a  |
+--------+----+
`);
  expect(drawTable(['N', 'Ok'], [['機架七', 'a']], { width: 13 })).toBe(`\
+------+----+
| N    | Ok |
+------+----+
| 機架 | a  |
| 七   |    |
+------+----+
`);
});
