import { isJsonObject, type Json } from '../../core/json.ts';
import { type Kind, kind } from './kind.ts';
import { isDocument, type RecordedResponse, type Recording } from './recording.ts';

const INFO = '@Message.ExtendedInfo';

/** Returns the kinds of links and ETags. */
export function formKinds(recording: Recording): Kind[] {
  const links = linksIn(recording);
  const some = (pattern: RegExp) => links.some((link) => pattern.test(link));
  const full = links.filter((link) => /^https?:/i.test(link));
  const etags = etagForm(recording);
  return [
    ...kind(full.length > links.length / 2, 'links-full-url', 'links are full URLs', 'named'),
    // The service root may have a slash anyway (DSP0266, 6.2).
    ...kind(some(/\/redfish\/v1\/[^?#]+\/([?#]|$)/), 'links-with-slash', 'links end with a slash'),
    ...kind(some(/%[\da-f]{2}/i), 'links-percent-encoded', 'links are percent-encoded'),
    ...kind(etags === 'weak', 'weak-etags', 'ETags are weak', 'named'),
    ...kind(etags === 'empty', 'etag-empty', 'ETags are empty'),
    ...kind(etags === 'none', 'etag-missing', 'there are no ETags'),
  ];
}

/** The form of the ETag headers of documents: `mixed` where they differ. */
export type EtagForm = 'strong' | 'weak' | 'unquoted' | 'empty' | 'none' | 'mixed';

export function etagForm({ responses }: Recording): EtagForm {
  const forms = new Set([...responses.values()].filter(isDocument).map(({ headers }) => formOf(headers.etag)));
  const [only] = forms;
  return forms.size > 1 ? 'mixed' : (only ?? 'none');
}

function formOf(etag: string | undefined): EtagForm {
  if (etag === undefined) return 'none';
  if (etag === '') return 'empty';
  if (etag.startsWith('W/')) return 'weak';
  return etag.startsWith('"') ? 'strong' : 'unquoted';
}

/** Returns the form of error responses, where all have the same. */
export function errorKinds({ responses, strangers }: Recording): Kind[] {
  const errors = [...responses.values(), ...strangers.values()].filter(({ status }) => status >= 400);
  const names = new Set(errors.map(errorForm));
  const [only] = names;
  if (names.size !== 1 || only === null || only === undefined) return [];
  return kind(true, only, `${errors.length} error responses have this form`, 'named');
}

/** Returns the name of the form of an error's body; null for that of DSP0266, and for one that has no name. */
function errorForm({ document, text, headers }: RecordedResponse): string | null {
  const type = headers['content-type'] ?? '';
  if (document === null) return text === null ? 'errors-empty' : textForm(text);
  const { error } = document;
  if (typeof error === 'string') return 'cc' in document ? 'errors-cc' : 'errors-text';
  if (!isJsonObject(error)) {
    if (INFO in document) return 'errors-at-root';
    if (/problem/.test(type) || ('title' in document && 'detail' in document)) return 'errors-problem';
    return typeof document.message === 'string' ? 'errors-message' : null;
  }
  if (isJsonObject(error.message)) return 'errors-odata';
  const info = error[INFO];
  if (isJsonObject(info)) return 'errors-object';
  if (!Array.isArray(info)) return 'code' in error && 'message' in error ? 'errors-without-info' : null;
  if (!('code' in error)) return 'errors-without-code';
  if (/html/i.test(type)) return 'errors-as-html';
  const entries = info.filter(isJsonObject);
  return entries.length > 0 && entries.every(({ Message }) => Message === undefined) ? 'errors-ilo' : null;
}

function textForm(text: string): string {
  if (/^\s*</.test(text)) return 'errors-html';
  if (/^\s*\[/.test(text)) return 'errors-list';
  return /^\s*"/.test(text) ? 'errors-string' : 'errors-plain';
}

/** Returns the links of all documents, as sent. */
function linksIn({ responses }: Recording): string[] {
  const links: string[] = [];
  const collect = (value: Json) => {
    if (Array.isArray(value)) value.forEach(collect);
    else if (isJsonObject(value)) {
      const id = value['@odata.id'];
      if (typeof id === 'string') links.push(id);
      Object.values(value).forEach(collect);
    }
  };
  for (const response of responses.values()) if (isDocument(response)) collect(response.document);
  return links;
}
