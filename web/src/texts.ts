// Every text of the console.

const number = new Intl.NumberFormat('en');

export const texts = {
  product: 'passthru',
  skip: 'Skip to the content',
  navigation: 'Pages',
  notFound: 'There is no such page',
  home: 'To the nodes',
  loading: 'Loading…',
  search: 'Search',
  all: 'All',
  connectionLost: 'The connection to the service is lost. Trying again…',
  session: {
    checking: 'Connecting to the service…',
    unreachable: 'The service cannot be reached. Trying again…',
    refused: 'You have no access',
    logInTo: 'Log in to passthru',
    logIn: 'Log in',
    logOut: 'Log out',
    user: 'User name',
    password: 'Password',
    keystoneToken: 'Keystone token',
    keystoneHelp: 'For example from: openstack token issue --os-system-scope all -f value -c id',
    bearerToken: 'Bearer token (JWT)',
    bearerHelp: 'An access token that the issuer of this service has signed.',
    certificate:
      'This service identifies its callers by a certificate. Install yours in the browser, choose it when the browser asks, and reload this page.',
    kept: 'What you enter stays in this tab, and is forgotten when the tab is closed.',
    role: (role: string) => `Role: ${role}`,
  },
  nodes: {
    title: 'Nodes',
    name: 'Name',
    driver: 'Driver',
    vendor: 'Vendor',
    state: 'State',
    lock: 'Lock',
    lastOutcome: 'Last call',
    changed: 'Changed',
    searchHelp: 'Name, UUID, address, description',
    states: { locked: 'Locked', free: 'Not locked', failed: 'Last call failed', maintenance: 'In maintenance' },
    onlyVendor: (vendor: string) => `Vendor ${vendor} ✕`,
    none: 'No nodes are enrolled.',
    noMatch: 'No node matches.',
    count: (shown: number, all: number, complete: boolean) =>
      `${shown === all ? number.format(all) : `${number.format(shown)} of ${number.format(all)}`} nodes${complete ? '' : ', loading…'}`,
  },
  locks: {
    lockedBy: 'Locked by',
  },
  jobs: {
    states: { running: 'Running', succeeded: 'Succeeded', failed: 'Failed', cancelled: 'Cancelled' },
  },
  time: {
    seconds: (seconds: number) => `${seconds} s`,
    minutes: (minutes: number, seconds: number) => `${minutes} min ${seconds} s`,
    hours: (hours: number, minutes: number) => `${hours} h ${minutes} min`,
    days: (days: number, hours: number) => `${days} d ${hours} h`,
  },
} as const;
