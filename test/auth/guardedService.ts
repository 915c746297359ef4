import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAccess } from '../../src/auth/create.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Logger } from '../../src/core/logger.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { startTestService, type TestService } from '../rpc/service.ts';
import { htpasswd } from './users.ts';

/** A service with the authentication of its configuration. */
export interface ConfiguredService extends TestService {
  /** The folder that relative paths in the configuration refer to. */
  folder: string;
}

/**
 * Starts a service with the groups `auth` and `tls` of a configuration.
 * @param config YAML, with paths relative to the folder of `files`
 * @param files the content of each
 */
export async function startConfiguredService(
  config: string,
  files: Readonly<Record<string, string>> = {},
  log: Logger = silentLogger,
): Promise<ConfiguredService> {
  const folder = mkdtempSync(join(tmpdir(), 'passthru-auth-'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const file = join(folder, 'passthru.yaml');
  writeFileSync(file, config);
  const { auth, tls } = loadConfig({ file, environment: {} });
  const access = await createAccess(auth, log);
  const service = await startTestService({
    log,
    access,
    rules: auth.rules,
    tls:
      tls.cert_file === null || tls.key_file === null
        ? undefined
        : {
            certFile: tls.cert_file,
            keyFile: tls.key_file,
            clientCaFile: tls.client_ca_file,
            requireClientCertificate: auth.type !== 'client_certificate',
          },
  });
  return {
    ...service,
    folder,
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      await access.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Starts a service with HTTP Basic whose admins are `users`. */
export function startBasicService(...users: string[]): Promise<ConfiguredService> {
  return startConfiguredService('auth: { type: http_basic, http_basic_auth_user_file: users, default_role: admin }', {
    users: htpasswd(...users),
  });
}
