import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A BMC that ipmi_sim (OpenIPMI) simulates on loopback: user `admin`, password `sekret`. */
export interface SimulatedIpmiBmc {
  port: number;
  stop(): Promise<void>;
}

/** Why ipmi_sim or ipmitool cannot be used here; null when they can. */
export function ipmiSimulationMissing(): string | null {
  const missing = ['ipmitool', 'ipmi_sim'].filter((program) => {
    try {
      execFileSync(program, ['-h'], { stdio: 'ignore' });
      return false;
    } catch (error) {
      // ipmi_sim exits with an error status after its help.
      return (error as NodeJS.ErrnoException).code === 'ENOENT';
    }
  });
  if (missing.length === 0) return null;
  return `${missing.join(' and ')} not installed (Debian: apt-get install ipmitool openipmi)`;
}

/** Returns a free UDP port on loopback. */
export async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

/** Starts one. It may not listen yet, but ipmitool retries. */
export async function startIpmiSim(): Promise<SimulatedIpmiBmc> {
  const directory = await mkdtemp(join(tmpdir(), 'passthru-ipmi-'));
  const port = await freeUdpPort();
  const auths = 'none md2 md5 straight';
  const lan = `
name "bmc"
set_working_mc 0x20
startlan 1
  addr 127.0.0.1 ${port}
  priv_limit admin
  allowed_auths_callback ${auths}
  allowed_auths_user ${auths}
  allowed_auths_operator ${auths}
  allowed_auths_admin ${auths}
  guid a123456789abcdefa123456789abcdef
endlan
user 1 true "" "" user 10 ${auths}
user 2 true "admin" "sekret" admin 10 ${auths}
`;
  await writeFile(join(directory, 'lan.conf'), lan);
  await writeFile(
    join(directory, 'bmc.emu'),
    'mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n',
  );
  const parameters = ['-n', '-c', 'lan.conf', '-f', 'bmc.emu', '-s', join(directory, 'state')];
  const child: ChildProcess = spawn('ipmi_sim', parameters, { cwd: directory, stdio: 'ignore' });
  const exit = once(child, 'exit');
  return {
    port,
    async stop() {
      child.kill('SIGKILL');
      await exit;
      await rm(directory, { recursive: true });
    },
  };
}
