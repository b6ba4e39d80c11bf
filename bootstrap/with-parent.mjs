/**
 * Loaded before tools that know nothing of Volley (vitest, tsc): ends their process when the bootstrap is gone.
 * @module
 */
import { endWithParent } from '../runtime/platform.ts'

endWithParent()
