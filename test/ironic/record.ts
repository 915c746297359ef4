// Sends the requests of the comparison to a real Ironic and stores its responses beside the other recordings. By hand:
//
//   node test/ironic/record.ts http://127.0.0.1:6385 39.0.0
//
// The Ironic has no nodes, needs no authentication, and enables the hardware types fake-hardware and ipmi with all their
// interfaces; docs/compatibility.md has a configuration.
import { writeFileSync } from 'node:fs';
import { send } from '../rest/client.ts';
import { RECORDING, type Recording } from './comparison.ts';
import { REQUESTS } from './requests.ts';
import { type Response, shown } from './response.ts';

const [base = '', ironic = ''] = process.argv.slice(2);
const responses: Response[] = [];
for (const { name: _, ...request } of REQUESTS) responses.push(shown(await send(base, request), base));
const maximum = (await send(base, { path: '/', headers: {} })).headers['x-openstack-ironic-api-maximum-version'];
const recording: Recording = { ironic, api: String(maximum), responses };
const lines = responses.map((response) => JSON.stringify(response)).join(',\n');
writeFileSync(RECORDING, `${JSON.stringify({ ...recording, responses: [] }).slice(0, -2)}\n${lines}\n]}\n`);
console.log(`${responses.length} responses of Ironic ${ironic}, API ${maximum}`);
