import { defineConfig, type ViteUserConfig } from 'vitest/config'

/** Whole systems: one at a time, when the rest is through. */
const SYSTEMS = 'tests/e2e/system/**/*.test.ts'

const config: ViteUserConfig = defineConfig({
  test: {
    globalSetup: ['tests/helpers/ensure-nats-server.ts', 'tests/helpers/tensorflow-line.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A busy machine may take its time; what never comes fails all the same.
    expect: { poll: { timeout: 10_000 } },
    // Two cores: more workers than that only make timings worse.
    maxWorkers: 2,
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: { name: 'rooms', include: ['tests/{unit,exams,house,e2e}/**/*.test.ts', 'examples/**/*.test.ts'], exclude: [SYSTEMS] },
      },
      {
        extends: true,
        test: { name: 'systems', include: [SYSTEMS], fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
})
export default config
