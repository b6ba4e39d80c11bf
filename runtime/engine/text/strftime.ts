/**
 * Python's strftime for chat templates that state the date. UTC, so that one prompt is the same on every machine.
 * @module
 */

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

const two = (value: number): string => String(value).padStart(2, '0')

/** Formats a time (milliseconds since 1970). Unknown directives stay as they are. */
export function strftime(timeMs: number, format: string): string {
  const date = new Date(timeMs)
  const day = DAYS[date.getUTCDay()]!
  const month = MONTHS[date.getUTCMonth()]!
  const hours = date.getUTCHours()
  const directives: Record<string, string> = {
    'A': day,
    'a': day.slice(0, 3),
    'B': month,
    'b': month.slice(0, 3),
    'd': two(date.getUTCDate()),
    'H': two(hours),
    'I': two(hours % 12 || 12),
    'M': two(date.getUTCMinutes()),
    'm': two(date.getUTCMonth() + 1),
    'p': hours < 12 ? 'AM' : 'PM',
    'S': two(date.getUTCSeconds()),
    'Y': String(date.getUTCFullYear()),
    'y': two(date.getUTCFullYear() % 100),
    'Z': 'UTC',
    'z': '+0000',
    '%': '%',
  }
  // `%-d` is the GNU form without padding.
  return format.replace(/%(-?)([A-Za-z%])/g, (whole, dash: string, letter: string) => {
    const value = directives[letter]
    return value === undefined ? whole : dash ? value.replace(/^0(?=.)/, '') : value
  })
}
