import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { type Clock, realClock } from '../../../../runtime/clock.ts'
import { strftime } from '../../../../runtime/engine/text/strftime.ts'
import { ChatTemplate } from '../../../../runtime/engine/text/template.ts'
import { isVolleyError } from '../../../../runtime/errors.ts'
import { sharedData } from '../../../helpers/model-files.ts'

const clock: Clock = { ...realClock, now: () => Date.UTC(2025, 6, 10, 12) }

describe('ChatTemplate', () => {
  test('has what Hugging Face gives to templates', () => {
    const source =
      `{% for i in range(2) %}{{ i }}{% endfor %} {{ strftime_now('%d %b %Y') }} {{ {'a': "é"} | tojson }}` +
      `{% set ns = namespace(n=1) %}{% set ns.n = ns.n + 1 %} {{ ns.n }}{{ absent }}` +
      `{% if tools is none %} no tools{% endif %}`
    expect(new ChatTemplate(source, clock).render({ tools: null })).toBe('01 10 Jul 2025 {"a": "é"} 2 no tools')
  })

  test("raise_exception and broken templates are the caller's error, with the template's words", () => {
    const refuses = new ChatTemplate(`{{ raise_exception('roles must alternate') }}`, clock)
    expect(() => refuses.render({})).toThrow(/refuses this chat: roles must alternate/)
    try {
      refuses.render({})
    } catch (error) {
      expect(isVolleyError(error, 'template_failed') && error.kind.status).toBe(400)
    }
    expect(() => new ChatTemplate('{% if %}', clock)).toThrow(/cannot be read/)
    expect(() => new ChatTemplate("{{ 'a' | no_such_filter }}", clock).render({})).toThrow(/fails on this chat/)
    expect(() => new ChatTemplate('{% for i in range(1000000000) %}{% endfor %}', clock).render({})).toThrow(/too long/)
  })

  test('contents take the form that the template reads', () => {
    const parts = [{
      role: 'user',
      content: [{ type: 'text' as const, text: 'a' }, { type: 'text' as const, text: 'b' }],
    }]
    const texts = [{ role: 'user', content: 'a' }]
    const plain = new ChatTemplate('{% for m in messages %}{{ m.content }}{% endfor %}', clock)
    expect(plain.shape(parts)).toEqual([{ role: 'user', content: 'a\nb' }])
    const walks = new ChatTemplate(
      `{% for m in messages %}{% for p in m['content'] %}{{ p.text }}{% endfor %}{% endfor %}`,
      clock,
    )
    expect(walks.shape(parts)).toEqual(parts)
    expect(walks.shape(texts)).toEqual([{ role: 'user', content: [{ type: 'text', text: 'a' }] }])
    const both = new ChatTemplate(
      `{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}` +
        `{% for p in m.content %}{% endfor %}{% endif %}{% endfor %}`,
      clock,
    )
    expect(both.shape(texts)).toEqual(texts)
  })
})

test('strftime() formats in UTC as Python does', () => {
  const time = Date.UTC(2024, 1, 5, 15, 4, 9)
  expect(strftime(time, '%A %a %d %-d %B %b %m %Y %y %H:%M:%S %I %p %% %Q')).toBe(
    'Monday Mon 05 5 February Feb 02 2024 24 15:04:09 03 PM % %Q',
  )
})

const file = sharedData('tokenizers/chat_templates.jsonl.gz')
describe.skipIf(file === undefined)('chat templates of real models', () => {
  const rows = file === undefined
    ? []
    : gunzipSync(readFileSync(file)).toString().trim().split('\n').map((line) =>
      JSON.parse(line) as {
        name: string
        source: string
        chat_template: string
        data: Record<string, unknown>
        target: string
      }
    )

  test('there are 66', () => expect(rows).toHaveLength(66))

  test.each(rows)('$name ($source)', ({ chat_template: source, data, target }) => {
    expect(new ChatTemplate(source, clock).render(data)).toBe(target)
  })
})
