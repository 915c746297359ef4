import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../src/config/load.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { startService } from '../../src/service.ts';

/** A service as `passthru serve` starts it, with every driver that comes with it, and those of `drivers`. */
export interface RoleService extends AsyncDisposable {
  url: string;
  core: Awaited<ReturnType<typeof startService>>['core'];
}

/** The driver of examples/. */
export const EXAMPLE_DRIVER = fileURLToPath(new URL('../../examples/rack-driver.ts', import.meta.url));

/**
 * @param config YAML, with paths relative to the folder of `files`
 * @param files the content of each
 */
export async function startRoleService(
  config: string,
  files: Readonly<Record<string, string>> = {},
): Promise<RoleService> {
  const folder = mkdtempSync(join(tmpdir(), 'passthru-roles-'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const file = join(folder, 'passthru.yaml');
  writeFileSync(file, `listen: 127.0.0.1:0\nstore: "sqlite::memory:"\n${config}`);
  try {
    const { url, core, close } = await startService(loadConfig({ file, environment: {} }), { log: silentLogger });
    return {
      url,
      core,
      async [Symbol.asyncDispose]() {
        await close();
        rmSync(folder, { recursive: true });
      },
    };
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw error;
  }
}
