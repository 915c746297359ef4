import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/**
 * What `npm run test:quick` leaves out: tests that start other programs (clients, validators, shells, browsers, services of
 * their own), real databases, load and chaos. What is left runs in this process and takes a few minutes.
 */
const SLOW = [
  'test/budget/**',
  'test/chaos/**',
  'test/cli/**',
  'test/clients/**',
  'test/conformance/**',
  'test/console/!(server).test.ts',
  'test/docs/**',
  'test/field/**',
  'test/fuzz/**',
  'test/real/**',
  'test/service/**',
  'test/store/postgres/**',
  'test/suites/**',
  'test/supplyChain/**',
  // Model tests, and single files that take more than two seconds: most wait for real timers or connections.
  'test/**/*.{model,property}.test.ts',
  'test/auth/everyRoute.test.ts',
  'test/auth/httpBasic.test.ts',
  'test/core/{closedStore,hardship,lateStep,replicas}.test.ts',
  'test/core/jobs/abandonedJobs.test.ts',
  'test/drivers/driver.types.test.ts',
  'test/drivers/{ipmi.sim,redfishSubscriptions}.test.ts',
  'test/events/{balancers,forms,handoverKilled,healing,killed,machines,strangers,streamHealing,streamKilled}.test.ts',
  'test/generated.test.ts',
  'test/http/{connections,http2Abuse,listener,sessionsFreed,stallTimeout,tls}.test.ts',
  'test/observe/{counters,standardError,tracing,tracingLoaded}.test.ts',
  'test/redfish/{chaos,machines}.test.ts',
  'test/redfish/login/session.test.ts',
  'test/redfish/resources/{ejectMedia,subscriptions,task}.test.ts',
  'test/redfish/wire/{breaker,delivery}.test.ts',
  'test/rest/nodes.test.ts',
  'test/rpc/protocols.test.ts',
  'test/secrets/**',
  'test/sim/command.test.ts',
  'test/store/secretsRotation.test.ts',
  'test/store/sqlite/{checkpoints,errors,plans,sqlite}.test.ts',
];

export default defineConfig(({ mode }) => ({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/console/build.ts'],
    setupFiles: ['test/patience.ts'],
    expect: { poll: { timeout: 30_000 } },
    exclude: mode === 'quick' ? SLOW : [],
    // Vitest would leave one processor unused. More workers than processors: many tests wait for timers and sockets.
    maxWorkers: Math.ceil(Math.max(2, availableParallelism()) * (mode === 'quick' ? 2 : 1.5)),
    // Generous: some tests start programs, on machines that are busy with other things.
    // Below 60 s, which some tests set for what must not end a wait.
    testTimeout: 50_000,
    hookTimeout: 120_000,
    reporters: ['default', './test/progressReporter.ts'],
    coverage: {
      provider: 'v8',
      include: ['src/**'],
      reporter: ['text-summary', 'json-summary'],
    },
  },
}));
