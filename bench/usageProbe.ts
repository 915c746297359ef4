// Preloaded into a process of the service: serves its usage, and ends the process when the bench ends, however it does.
import { serveUsage } from './server.ts';

serveUsage();
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.channel?.unref();
