import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/**
 * What `npm run test:quick` leaves out: tests that start other programs (clients, validators, shells, browsers, services of
 * their own), real databases, load and chaos. What is left runs in this process and takes under a minute.
 */
const SLOW = [
  'test/chaos/**',
  'test/cli/**',
  'test/clients/**',
  'test/conformance/**',
  'test/docs/**',
  'test/fuzz/**',
  'test/real/**',
  'test/service/**',
  'test/store/postgres/**',
  'test/supplyChain/**',
  // Model tests, and single files that take more than three seconds: most wait for real timers or connections.
  'test/**/*.{model,property}.test.ts',
  'test/auth/everyRoute.test.ts',
  'test/auth/httpBasic.test.ts',
  'test/core/{closedStore,hardship,lateStep,replicas}.test.ts',
  'test/core/jobs/abandonedJobs.test.ts',
  'test/drivers/driver.types.test.ts',
  'test/drivers/ipmi.sim.test.ts',
  'test/http/{listener,stallTimeout,tls}.test.ts',
  'test/observe/{tracing,tracingLoaded}.test.ts',
  'test/redfish/{chaos,machines}.test.ts',
  'test/redfish/login/session.test.ts',
  'test/redfish/resources/subscriptions.test.ts',
  'test/redfish/wire/{breaker,delivery}.test.ts',
  'test/rest/nodes.test.ts',
  'test/rpc/ways.test.ts',
  'test/secrets/**',
  'test/sim/command.test.ts',
  'test/store/secretsRotation.test.ts',
  'test/store/sqlite/{plans,sqlite}.test.ts',
];

export default defineConfig(({ mode }) => ({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: mode === 'quick' ? SLOW : [],
    // Vitest would leave one processor unused; many tests wait for timers and sockets.
    maxWorkers: Math.max(2, availableParallelism()),
    // Generous: some tests start programs, on machines that are busy with other things.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ['default', './test/progressReporter.ts'],
    coverage: {
      provider: 'v8',
      include: ['src/**'],
      reporter: ['text-summary', 'json-summary'],
    },
  },
}));
