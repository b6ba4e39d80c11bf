import { defineConfig, type ViteUserConfig } from 'vitest/config'

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['tests/{unit,exams,house,e2e}/**/*.test.ts'],
    globalSetup: ['tests/helpers/ensure-nats-server.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores: more workers than that only make timings worse.
    maxWorkers: 2,
    pool: 'forks',
  },
})
export default config
