/** Commands to try, for one protocol or client. */
export interface DemoSection {
  title: string;
  commands: { command: string; note?: string }[];
}

/**
 * Returns commands that work as they are while the demo runs.
 * @param url the address of the service
 * @param job the ID of an existing job
 */
export function demoCommands(url: string, job: string): DemoSection[] {
  const json = "-H 'Content-Type: application/json'";
  const version = "-H 'X-OpenStack-Ironic-API-Version: 1.82'";
  const node = (name: string) => `${url}/v1/nodes/${name}/vendor_passthru`;
  const call = `'{"node": "rf-1", "method": "get_all_subscriptions"}'`;
  // The client's default.
  const server = url === 'http://127.0.0.1:6385' ? '' : `--server ${url} `;
  const passthru = `npm run --silent passthru -- ${server}`;
  const baremetal = `baremetal --os-auth-type none --os-endpoint ${url}`;
  return [
    {
      title: "OpenStack Ironic's REST",
      commands: [
        {
          command: `curl -s ${version} ${node('rf-1')}/methods`,
          note: "the methods; Ironic's REST accepts names from version 1.5 on, and only UUIDs without a version",
        },
        {
          command: `curl -s ${version} ${json} -d '{"Destination": "https://listener.example/events"}' '${node('rf-1')}?method=create_subscription'`,
          note: 'a synchronous call',
        },
        { command: `curl -s ${version} '${node('rf-1')}?method=get_all_subscriptions'` },
        {
          command: `curl -si ${version} ${json} -d '{"bar": "kazoo"}' '${node('fake-1')}?method=second_method'`,
          note: 'an asynchronous call: 202, with its job in Location',
        },
        { command: `curl -s '${url}/v1/jobs?limit=3'` },
        { command: `curl -sN ${url}/v1/jobs/${job}/events`, note: "a job's changes as they happen, until it ends" },
      ],
    },
    {
      title: 'The passthru command',
      commands: [
        { command: `${passthru}node list` },
        { command: `${passthru}node passthru list rf-1` },
        { command: `${passthru}node passthru call rf-2 eject_vmedia --watch`, note: 'follows the job until it ends' },
        { command: `${passthru}node passthru call fake-1 second_method --arg bar=kazoo --watch` },
        {
          command: `${passthru}node passthru call locked-1 get_all_subscriptions --lock-wait 0`,
          note: 'refused, with the holder of the node',
        },
        { command: `${passthru}job list` },
      ],
    },
    {
      title: 'gRPC and Connect, by the same contract (proto/)',
      commands: [
        { command: `grpcurl -plaintext ${url.replace('http://', '')} list` },
        {
          command: `grpcurl -plaintext -d ${call} ${url.replace('http://', '')} passthru.v1.PassthruService/CallNodeMethod`,
        },
        {
          command: `npx buf curl --protocol grpc --http2-prior-knowledge -d ${call} ${url}/passthru.v1.PassthruService/CallNodeMethod`,
        },
        { command: `curl -s ${json} -d ${call} ${url}/passthru.v1.PassthruService/CallNodeMethod`, note: 'Connect' },
      ],
    },
    {
      title: 'Hardware events, which the BMCs of rf-2 and rf-3 send',
      commands: [
        { command: `${passthru}events follow`, note: 'events as they arrive, until Ctrl-C' },
        { command: `${passthru}events list --limit 5` },
        { command: `${passthru}events sources`, note: 'what keeps the subscriptions of the BMCs alive' },
        { command: `${passthru}events test rf-2`, note: 'requests a test event from the BMC, and times it' },
        { command: `curl -s '${url}/v1/events?node=rf-2&limit=2'` },
      ],
    },
    {
      title: "Ironic's own client",
      commands: [
        { command: `${baremetal} node list` },
        { command: `${baremetal} node passthru list rf-1` },
        { command: `${baremetal} node passthru call rf-1 get_all_subscriptions --http-method GET` },
      ],
    },
  ];
}
