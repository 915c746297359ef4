import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { create, toBinary } from '@bufbuild/protobuf';
import { WatchNodesRequestSchema } from '../gen/passthru/v1/node_pb.ts';

/** The number of streams on one HTTP/2 connection. */
const STREAMS = 100;

/**
 * Returns a function that opens one watcher of the service at `url`, after a cursor: of all nodes, or of one.
 * @param told gets an element for each watcher, the number of changes that it was told of
 */
export type Opener = (url: string, watched: { cursor: string; node?: string }, told: number[]) => () => Promise<void>;

/** Opens event streams, each with a connection of its own. */
export const eventStream: Opener = (url, { cursor, node }, told) => {
  const { hostname, port } = new URL(url);
  const query = new URLSearchParams({ cursor, ...(node === undefined ? {} : { node }) });
  return async () => {
    const socket: Socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    socket.write(`GET /v1/nodes/events?${query} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
    await once(socket, 'data');
    const watcher = told.push(0) - 1;
    let end = '';
    socket.on('data', (data: Buffer) => {
      const text = end + data.toString('latin1');
      told[watcher]! += text.split('\nid: ').length - 1;
      // The beginning of what the next piece may complete.
      end = text.slice(-4);
    });
  };
};

/** Opens streams of gRPC, `STREAMS` on a connection. */
export const grpcWatcher: Opener = (url, { cursor, node }, told) => {
  const request = create(WatchNodesRequestSchema, { cursor, nodes: node === undefined ? [] : [node] });
  const message = toBinary(WatchNodesRequestSchema, request);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  let session = connectHttp2(url);
  let streams = 0;
  return async () => {
    if (streams++ % STREAMS === 0) session = connectHttp2(url).on('error', () => {});
    const stream = session.request({
      ':method': 'POST',
      ':path': '/passthru.v1.NodeService/WatchNodes',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => {});
    const watcher = told.push(0) - 1;
    let frames = Buffer.alloc(0);
    stream.on('data', (data: Buffer) => {
      frames = Buffer.concat([frames, data]);
      while (frames.length >= 5 && frames.length >= 5 + frames.readUInt32BE(1)) {
        frames = frames.subarray(5 + frames.readUInt32BE(1));
        told[watcher]!++;
      }
    });
    stream.end(Buffer.concat([head, message]));
    // Without an event so far, nothing may be received.
    await Promise.race([once(stream, 'response'), delay(300)]);
  };
};
