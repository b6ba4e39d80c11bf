import { defineConfig, type ViteUserConfig } from 'vitest/config'

/** The long tests: one file, one system at a time. */
const config: ViteUserConfig = defineConfig({
  test: {
    globalSetup: ['tests/helpers/ensure-nats-server.ts'],
    include: ['tests/chaos/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 10_000 } },
    pool: 'forks',
    fileParallelism: false,
  },
})
export default config
