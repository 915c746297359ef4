// Compares random requests, other ones with each seed, with a real Ironic that runs. By hand, with an Ironic as for `record.ts`:
//
//   node test/ironic/live.ts http://127.0.0.1:6385 SEED COUNT
import { send } from '../rest/client.ts';
import { compare, sentOf } from './comparison.ts';
import { randomRequests } from './random.ts';
import { shown } from './response.ts';

const [base = '', seed, count] = process.argv.slice(2);
const requests = randomRequests(Number(seed), Number(count));
const { worse, counts } = await compare(requests, async (request) => shown(await send(base, sentOf(request)), base));
for (const line of worse) console.log(line);
console.log(requests.length, counts);
process.exitCode = worse.length === 0 ? 0 : 1;
