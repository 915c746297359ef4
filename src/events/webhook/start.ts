import type { Config } from '../../config/schema.ts';
import { watchFiles } from '../../config/watchedFile.ts';
import type { Core } from '../../core/core.ts';
import type { Logger } from '../../core/logger.ts';
import { isLoopback } from '../../net/listenAddress.ts';
import { readWebhookSecrets } from './secrets.ts';
import { Webhook } from './webhook.ts';

/**
 * Begins to hand over events as the group `events.webhook` describes, if it does. Secrets are read again when their file changes.
 * @returns a function that stops watching that file
 * @throws ConfigError for the file of secrets; kind `store_unavailable`
 */
export async function startConfiguredWebhook({ events }: Config, core: Core, log: Logger): Promise<() => void> {
  const { url, secret_file: file, skip_after: skipAfter, batch } = events.webhook;
  if (url === null || file === null) return () => {};
  let secrets = readWebhookSecrets(file);
  const { origin, protocol, hostname } = new URL(url);
  if (protocol === 'http:' && !isLoopback(hostname.replace(/^\[|\]$/g, ''))) {
    log.warn({ origin }, 'events are handed over unencrypted: set an https: URL as events.webhook.url');
  }
  const unwatch = watchFiles([file], () => {
    try {
      secrets = readWebhookSecrets(file);
      log.info({ file }, 'loaded the secrets of the webhook again');
    } catch (error) {
      log.error({ err: error }, 'the secrets of the webhook cannot be loaded; those from before stay in use');
    }
  });
  const target = new Webhook({ url, secrets: () => secrets, batch });
  await core.handOverEvents({ target, skipAfter: skipAfter === 0 ? null : skipAfter });
  log.info({ origin }, 'events are handed over by webhook');
  return unwatch;
}
