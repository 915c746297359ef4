// In a process of the service: tells its usage whenever it is asked, and ends it with the bench, however that ends.
import { tellUsage } from './server.ts';

tellUsage();
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.channel?.unref();
