import { expect, test } from 'vitest';
import { extendedInfoText, readExtendedInfo } from '../../../src/redfish/wire/response.ts';

const INFO = '@Message.ExtendedInfo';

test.each([
  ['no ExtendedInfo', undefined, 'No room.'],
  ['an empty list', [], 'No room.'],
  ['an empty entry', [{}], 'No room.'],
  ['entries with a MessageId alone', [{ MessageId: 'iLO.2.14.Full' }], 'iLO.2.14.Full No room.'],
])("the error's own message is carried beside %s", (_, info, text) => {
  const error = { code: 'Base.1.8.GeneralError', message: 'No room.', ...(info ? { [INFO]: info } : {}) };
  const entries = readExtendedInfo({ error });
  expect(extendedInfoText(entries)).toBe(text);
  expect(entries.at(-1)).toEqual({ MessageId: 'Base.1.8.GeneralError', Message: 'No room.' });
});

test("the error's own message, which is a general one, is not added to those that have a text", () => {
  const error = { code: 'Base.1.8.GeneralError', message: 'See ExtendedInfo.', [INFO]: [{ Message: 'No room.' }] };
  expect(readExtendedInfo({ error })).toEqual([{ Message: 'No room.' }]);
});

test('the messages of the error, of the root and of properties all count', () => {
  const entries = readExtendedInfo({
    error: { [INFO]: [{ Message: 'One.' }] },
    [INFO]: { Message: 'Two.' },
    [`Context${INFO}`]: [{ Message: 'Three.' }],
    [`Protocol${INFO}`]: { Message: 'Four.' },
  });
  expect(extendedInfoText(entries)).toBe('One. Two. Three. Four.');
});

test('a message that is not a string shows its JSON', () => {
  expect(
    extendedInfoText([{ Message: { en: 'No room.' } }, { Message: 7 }, { Message: null, MessageId: 'A.1.B' }]),
  ).toBe('{"en":"No room."} 7 A.1.B');
  expect(extendedInfoText(readExtendedInfo({ error: { message: ['No room.'] } }))).toBe('["No room."]');
});

test('a document that is not an error has no messages', () => {
  for (const document of [null, '', [], {}, { error: '' }, { error: { message: '' } }, { Id: '1' }]) {
    expect(readExtendedInfo(document)).toEqual([]);
  }
});
