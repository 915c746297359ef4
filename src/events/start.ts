import type { Config } from '../config/schema.ts';
import type { Core } from '../core/core.ts';
import type { Logger } from '../core/logger.ts';
import type { ListenerTls } from '../http/tls.ts';
import { isLoopback, parseListenAddress } from '../net/listenAddress.ts';
import { type PostOutcome, type Receiver, startReceiver } from './receiver.ts';
import { SenderCheck } from './senderCheck.ts';

/** Counts what the receiver does. */
export interface ReceiverObservation {
  eventPost(outcome: PostOutcome): void;
  otherEventSender(): void;
}

/** A receiver, and how BMCs reach it. */
export interface ConfiguredReceiver extends Receiver {
  /** The beginning of the URL of a subscription, without a slash at its end; `/` and a secret follow. */
  base: string;
}

/** Returns the TLS settings of the group `events`; null without TLS. */
export function receiverTls({ events }: Config): ListenerTls | null {
  const { cert_file: certFile, key_file: keyFile } = events.tls;
  if (certFile === null || keyFile === null) return null;
  return { group: 'events.tls', certFile, keyFile, clientCaFile: null, requireClientCertificate: false };
}

/**
 * Starts the receiver that the group `events` describes; null without one.
 * @throws as `startReceiver`
 */
export async function startConfiguredReceiver(
  config: Config,
  core: Core,
  observation: ReceiverObservation,
  log: Logger,
): Promise<ConfiguredReceiver | null> {
  const { listen, url, verify_sender: verify, connections } = config.events;
  if (listen === null) return null;
  const { host, port } = parseListenAddress(listen)!;
  const tls = receiverTls(config);
  const path = url === null ? '' : new URL(url).pathname.replace(/\/+$/, '');
  const receiver = await startReceiver({
    host,
    port,
    tls,
    path,
    senders: core.senders,
    intake: core.intake,
    senderCheck: verify === 'off' ? null : new SenderCheck(),
    refuseOthers: verify === 'refuse',
    log,
    ended: (outcome) => observation.eventPost(outcome),
    otherSender: () => observation.otherEventSender(),
    maxConnections: connections,
    receiveTimeout: config.limits.receive_timeout,
  });
  log.info({ url: receiver.url }, 'receiver of events started');
  if (tls === null && !isLoopback(host) && !url?.startsWith('https:')) {
    log.warn({ listen }, 'events travel unencrypted: set events.tls.cert_file, or put a TLS proxy in front');
  }
  return { ...receiver, base: (url ?? receiver.url).replace(/\/+$/, '') };
}
