// Posts events as fast as they are acknowledged, or at a pace, over plain sockets: a load that costs little itself.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { answer } from './child.ts';

export interface Load {
  /** The destinations, of which each gets connections of its own. */
  destinations: string[];
  /** Connections for each destination. */
  connections: number;
  /** The end: by time, by the number of posts of all connections together, or by `stop`. */
  seconds: number | null;
  posts: number | null;
  /** Milliseconds from one post of a sender to the next; 0 for none. */
  pause: number;
  /** Whether each post comes over a connection of its own, as many BMCs send. */
  connectsAnew: boolean;
  /** Begins the ids of the events. */
  name: string;
}

export interface Posted {
  /** The ids of the events that were acknowledged. */
  acknowledged: string[];
  /** When each of them was, in milliseconds since 1970. */
  acknowledgedAt: number[];
  refused: number;
  /** Milliseconds. */
  time: number;
  /** When a post was sent, in milliseconds since 1970, and how long its response took. */
  latencies: [begun: number, time: number][];
}

let isStopped = false;

answer({
  post,
  stop() {
    isStopped = true;
  },
});

async function post(load: Load): Promise<Posted> {
  const { destinations, connections, seconds, posts } = load;
  const begun = performance.now();
  const posted: Posted = { acknowledged: [], acknowledgedAt: [], refused: 0, time: 0, latencies: [] };
  let left = posts ?? Number.POSITIVE_INFINITY;
  isStopped = false;
  const isOver = () => isStopped || left-- <= 0 || (seconds !== null && performance.now() - begun > seconds * 1000);
  await Promise.all(
    destinations.flatMap((destination, source) =>
      Array.from({ length: connections }, (_, connection) =>
        postOver(destination, `${load.name}-${source}-${connection}`, load, isOver, posted),
      ),
    ),
  );
  posted.time = performance.now() - begun;
  return posted;
}

async function postOver(
  destination: string,
  name: string,
  { pause, connectsAnew }: Load,
  isOver: () => boolean,
  posted: Posted,
): Promise<void> {
  const { hostname, port, pathname } = new URL(destination);
  let socket: Socket | null = null;
  // Apart from each other.
  if (pause > 0) await sleep(Math.random() * pause);
  for (let number = 0; !isOver(); number++) {
    const id = `${name}-${number}`;
    const body = bodyOf(id);
    const begun = performance.now();
    if (socket === null) {
      socket = connect({ host: hostname, port: Number(port), noDelay: true });
      await once(socket, 'connect');
    }
    socket.write(
      `POST ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const head = await nextData(socket);
    const time = performance.now() - begun;
    if (head?.toString('latin1', 9, 12) === '200') {
      posted.acknowledged.push(id);
      posted.acknowledgedAt.push(performance.timeOrigin + begun + time);
    } else posted.refused++;
    posted.latencies.push([performance.timeOrigin + begun, time]);
    // What refuses a post before it has read it closes the connection.
    if (connectsAnew || head === null || head.includes('Connection: close')) {
      socket.destroy();
      socket = null;
    }
    if (pause > 0) await sleep(Math.max(0, pause - time));
  }
  socket?.destroy();
}

/** Returns the next piece of a connection, which is a head without a body; null when the connection ends before. */
function nextData(socket: Socket): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const take = (data: Buffer) => settle(data);
    const end = () => settle(null);
    const settle = (data: Buffer | null) => {
      socket.off('data', take).off('close', end).off('error', end);
      resolve(data);
    };
    socket.on('data', take).on('close', end).on('error', end);
  });
}

function bodyOf(id: string): string {
  return JSON.stringify({
    '@odata.type': '#Event.v1_7_0.Event',
    Id: id,
    Name: 'Event Array',
    Context: 'bench',
    Events: [
      {
        EventType: 'Alert',
        EventId: id,
        EventTimestamp: `${new Date().toISOString().slice(0, 19)}Z`,
        Severity: 'Warning',
        MessageSeverity: 'Warning',
        Message: 'The resource property Fan 3 has detected errors of type Overheated.',
        MessageId: 'ResourceEvent.1.3.ResourceErrorsDetected',
        MessageArgs: ['Fan 3', 'Overheated'],
        OriginOfCondition: { '@odata.id': '/redfish/v1/Chassis/1/ThermalSubsystem/Fans/3' },
        MemberId: '0',
      },
    ],
  });
}
