// Which pages there are: a new one is a line here.
import { type ComponentType, lazy } from 'react';
import { JobPage } from './jobs/JobPage.tsx';
import { JobsPage } from './jobs/JobsPage.tsx';
import { LocksPage } from './locks/LocksPage.tsx';
import { NodesPage } from './nodes/NodesPage.tsx';
import { texts } from './texts.ts';

export interface PageRoute {
  /** As the address names it; `:name` stands for a part that `component` gets as `params.name`. */
  path: string;
  /** How the navigation calls it; a page without one is reached by a link of another. */
  name?: string;
  // biome-ignore lint/suspicious/noExplicitAny: which parameters a page takes stands in its own path
  component: ComponentType<any>;
}

// Loaded when they are first shown: the first view needs none of them.
const EditPage = lazy(async () => ({ default: (await import('./nodes/EditPage.tsx')).EditPage }));
const EnrolPage = lazy(async () => ({ default: (await import('./nodes/EnrolPage.tsx')).EnrolPage }));
const NodePage = lazy(async () => ({ default: (await import('./nodes/NodePage.tsx')).NodePage }));
const OverviewPage = lazy(async () => ({ default: (await import('./overview/OverviewPage.tsx')).OverviewPage }));
const DriversPage = lazy(async () => ({ default: (await import('./drivers/DriversPage.tsx')).DriversPage }));
const DriverPage = lazy(async () => ({ default: (await import('./drivers/DriverPage.tsx')).DriverPage }));
const EventsPage = lazy(async () => ({ default: (await import('./events/EventsPage.tsx')).EventsPage }));
const SourcesPage = lazy(async () => ({ default: (await import('./events/SourcesPage.tsx')).SourcesPage }));
const SourcePage = lazy(async () => ({ default: (await import('./events/SourcePage.tsx')).SourcePage }));

/** In the order of the navigation. The first is the page of `/`. */
export const PAGES: readonly PageRoute[] = [
  { path: '/nodes', name: texts.nodes.title, component: NodesPage },
  { path: '/jobs', name: texts.jobs.title, component: JobsPage },
  { path: '/locks', name: texts.locks.title, component: LocksPage },
  { path: '/nodes/new', component: EnrolPage },
  { path: '/nodes/:node', component: NodePage },
  { path: '/nodes/:node/edit', component: EditPage },
  { path: '/jobs/:id', component: JobPage },
  { path: '/drivers', name: texts.drivers.title, component: DriversPage },
  { path: '/drivers/:driver', component: DriverPage },
  { path: '/events', name: texts.events.title, component: EventsPage },
  { path: '/events/sources', component: SourcesPage },
  { path: '/events/sources/:node', component: SourcePage },
  { path: '/overview', name: texts.overview.title, component: OverviewPage },
];
