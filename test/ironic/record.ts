// Sends the requests of the comparison to a real Ironic and stores its responses beside the other recordings. By hand:
//
//   node test/ironic/record.ts http://127.0.0.1:6385 39.0.0
//   node test/ironic/record.ts http://127.0.0.1:6385 39.0.0 SEED COUNT
//
// The latter records COUNT groups of random requests. The Ironic has no nodes, needs no authentication, and enables the hardware
// types fake-hardware and ipmi with all their interfaces; docs/compatibility.md has a configuration.
import { writeFileSync } from 'node:fs';
import { send } from '../rest/client.ts';
import { RANDOM_RECORDING, RECORDING, type Recording, sentOf } from './comparison.ts';
import { randomRequests } from './random.ts';
import { REQUESTS } from './requests.ts';
import { type Response, shown } from './response.ts';

const [base = '', ironic = '', seed, count] = process.argv.slice(2);
const random = seed === undefined ? undefined : randomRequests(Number(seed), Number(count));
const responses: Response[] = [];
for (const request of random ?? REQUESTS) responses.push(shown(await send(base, sentOf(request)), base));
const maximum = (await send(base, { path: '/', headers: {} })).headers['x-openstack-ironic-api-maximum-version'];
const recording: Recording = { ironic, api: String(maximum), requests: random, responses: [] };
const lines = responses.map((response) => JSON.stringify(response)).join(',\n');
writeFileSync(
  random === undefined ? RECORDING : RANDOM_RECORDING,
  `${JSON.stringify(recording).slice(0, -2)}\n${lines}\n]}\n`,
);
console.log(`${responses.length} responses of Ironic ${ironic}, API ${maximum}`);
