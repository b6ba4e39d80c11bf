/**
 * How a fetch says how far it is. Whoever shows it to a person brings the lines; nothing here writes anywhere.
 * @module
 */

/** Told by everything that takes long. */
export interface Progress {
  /** Something starts; `totalBytes` where it is known. */
  begin(label: string, totalBytes?: number): void
  /** So many bytes are there now, of what began last. */
  at(bytes: number): void
  /** It ended; one line for people. */
  end(note: string): void
}

/** Says nothing. */
export const silent: Progress = { begin: () => {}, at: () => {}, end: () => {} }
