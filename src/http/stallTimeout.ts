import type { ServerResponse } from 'node:http';
import { constants, type Http2ServerResponse } from 'node:http2';

/**
 * Ends an answer of which its client takes nothing for `timeout` milliseconds, though some of it waits: it would be kept
 * in memory for as long as the client likes. An answer that is quiet because there is nothing to say stays.
 */
export function endStalledAnswer(response: ServerResponse | Http2ServerResponse, timeout: number): void {
  const end = () => {
    const { stream } = response as Http2ServerResponse;
    // Over HTTP/1.1 what waits stands in the socket, behind the answers that were pipelined before it.
    const waiting = stream === undefined ? response.socket?.writableLength : stream.writableLength;
    if ((waiting ?? 0) === 0) return;
    if (stream === undefined) response.socket?.destroy();
    else stream.close(constants.NGHTTP2_CANCEL);
  };
  response.setTimeout(timeout, end);
}
