/** The version of this copy of Volley, from its manifest. @module */
import manifest from '../package.json' with { type: 'json' }

export const version: string = manifest.version
