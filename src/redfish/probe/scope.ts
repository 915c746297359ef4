/** The resources that a probe reads: those that the methods use, and those that tell the kinds of machines apart. */
export type Resource =
  | 'root'
  | 'systems'
  | 'system'
  | 'managers'
  | 'manager'
  | 'media'
  | 'device'
  | 'events'
  | 'subscriptions'
  | 'subscription'
  | 'tasks'
  | 'taskList'
  | 'jobs'
  | 'jobList'
  | 'leaf';

/** What is read from a resource on. */
interface Rule {
  /** The resources that properties of the document link to. */
  links?: Readonly<Record<string, Resource>>;
  /** The resources that properties of `Links` link to, one or several. */
  relations?: Readonly<Record<string, Resource>>;
  /** Last segments of the paths of DSP0268, by the property that should link there: tried where the link is missing. */
  usual?: Readonly<Record<string, string>>;
  /** The resources of a collection, and how many of them are read at most. */
  members?: { resource: Resource; most: number };
  /** Whether the `@Redfish.ActionInfo` of its actions is read. */
  actionInfo?: boolean;
}

/**
 * What is read, from the service root on. Left out on purpose: logs, accounts, sessions, sensors, processors, memory, storage,
 * networks, the contents of registries; they are large or none of anybody's business, and no method needs them.
 */
export const SCOPE: Readonly<Record<Resource, Rule>> = {
  root: {
    links: {
      Systems: 'systems',
      Managers: 'managers',
      EventService: 'events',
      SessionService: 'leaf',
      Tasks: 'tasks',
      JobService: 'jobs',
      UpdateService: 'leaf',
      AccountService: 'leaf',
      Chassis: 'leaf',
      Registries: 'leaf',
    },
    usual: {
      Systems: 'Systems',
      Managers: 'Managers',
      EventService: 'EventService',
      SessionService: 'SessionService',
      Tasks: 'TaskService',
    },
  },
  systems: { members: { resource: 'system', most: 32 } },
  system: {
    links: { VirtualMedia: 'media' },
    relations: { ManagedBy: 'manager' },
    usual: { VirtualMedia: 'VirtualMedia' },
  },
  managers: { members: { resource: 'manager', most: 32 } },
  manager: {
    links: { VirtualMedia: 'media' },
    relations: { ManagerForServers: 'system' },
    usual: { VirtualMedia: 'VirtualMedia' },
  },
  media: { members: { resource: 'device', most: 32 } },
  device: { actionInfo: true },
  events: { links: { Subscriptions: 'subscriptions' }, usual: { Subscriptions: 'Subscriptions' }, actionInfo: true },
  subscriptions: { members: { resource: 'subscription', most: 100 } },
  subscription: {},
  tasks: { links: { Tasks: 'taskList' } },
  taskList: { members: { resource: 'leaf', most: 3 } },
  jobs: { links: { Jobs: 'jobList' } },
  jobList: { members: { resource: 'leaf', most: 3 } },
  leaf: {},
};
