import { useEffect, useMemo } from 'react';
import type { Attachment } from '../../../gen/passthru/v1/passthru_pb.ts';
import { texts } from '../texts.ts';

/** How much of a text is shown, in bytes. */
const SHOWN = 65_536;

/** Bytes that a method has returned: to download, and shown as a text where they are one. */
export function AttachmentView({ attachment }: { attachment: Attachment }) {
  const { data, mediaType, fileName } = attachment;
  // Whatever the machine calls it, a browser that opens it must not run it in this origin.
  const url = useMemo(
    () => URL.createObjectURL(new Blob([data as BlobPart], { type: 'application/octet-stream' })),
    [data],
  );
  useEffect(() => () => URL.revokeObjectURL(url), [url]);
  const text = useMemo(() => textOf(data), [data]);
  const name = fileName === '' ? texts.calls.unnamed : fileName;
  return (
    <>
      <p>{texts.calls.attachment(name, mediaType, texts.calls.bytes(data.length))}</p>
      <a href={url} download={name}>
        {texts.calls.download}
      </a>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolled region has to take the focus */}
      {text !== null && <pre tabIndex={0}>{text}</pre>}
    </>
  );
}

/** Returns the beginning of a text in UTF-8; null for other bytes. */
function textOf(data: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(data.subarray(0, SHOWN), {
      // The last character may have been cut.
      stream: data.length > SHOWN,
    });
    return text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}
