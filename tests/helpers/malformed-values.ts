/**
 * Values that fields of a request must not have, as JSON texts: JavaScript could not hold some of them.
 * @module
 */

const NOT_NUMBERS = ['"1"', '[]', '{}', 'true', '1e999', '-1e999']
const NOT_INTEGERS = [...NOT_NUMBERS, '1.5', '1e300', '9007199254740993']
const NOT_BOOLEANS = ['"true"', '1', '0', '[]', '{}']
const NOT_TEXTS = ['1', 'true', '[]', '{}', '""']

/** Field -> values; `only` = the route that checks it so. `$TOO_MANY` stands for more tokens than any context has. */
export const WRONG_VALUES: Record<string, { values: readonly string[]; only?: 'chat' | 'completion' }> = {
  model: { values: [...NOT_TEXTS, '"none-such"', '"../../etc/passwd"', JSON.stringify('x'.repeat(10_000))] },
  temperature: { values: [...NOT_NUMBERS, '-0.1', '2.1', '-1'] },
  top_p: { values: [...NOT_NUMBERS, '0', '-1', '1.01'] },
  top_k: { values: [...NOT_INTEGERS, '-2'] },
  min_p: { values: [...NOT_NUMBERS, '-0.1', '1.1'] },
  n: { values: [...NOT_INTEGERS, '0', '-1', '1000000'] },
  seed: { values: NOT_INTEGERS },
  max_tokens: { values: [...NOT_INTEGERS, '0', '-1', '$TOO_MANY'] },
  max_completion_tokens: { values: [...NOT_INTEGERS, '0', '$TOO_MANY', '5'], only: 'chat' },
  presence_penalty: { values: [...NOT_NUMBERS, '-2.1', '2.1'] },
  frequency_penalty: { values: [...NOT_NUMBERS, '-3', '3'] },
  repetition_penalty: { values: [...NOT_NUMBERS, '0', '-1'] },
  stop: {
    values: [
      '1',
      'true',
      '{}',
      '""',
      '[""]',
      '[1]',
      '[null]',
      '[[]]',
      JSON.stringify(new Array(1000).fill('x')),
      JSON.stringify('x'.repeat(100_000)),
    ],
  },
  stop_token_ids: { values: ['1', '"1"', '[-1]', '["a"]', '[1.5]', '[99999999999]'] },
  logit_bias: {
    values: [
      '1',
      '[]',
      '[1]',
      '"a"',
      '{"a":1}',
      '{"1":"2"}',
      '{"1":101}',
      '{"1":-101}',
      '{"-1":1}',
      '{"99999999":1}',
      '{"1.5":1}',
      '{"1":{}}',
    ],
  },
  stream: { values: NOT_BOOLEANS },
  stream_options: { values: ['1', '[]', '"x"', '{}', '{"include_usage":true}', '{"include_usage":"yes"}'] },
  return_token_ids: { values: NOT_BOOLEANS },
  ignore_eos: { values: NOT_BOOLEANS },
  lane: { values: ['1', '""', '"a.b"', '"*"', '">"', '"a b"', '[]'] },
  pipeline: { values: ['1', '""', '"a.b"', '"../x"', '{}'] },
  logprobs: { values: ['"yes"', '1', '[]', '{}'], only: 'chat' },
  top_logprobs: { values: [...NOT_INTEGERS, '-1', '21', '5'], only: 'chat' },
  messages: {
    only: 'chat',
    values: [
      '1',
      '"hi"',
      '{}',
      '[]',
      '[1]',
      '[null]',
      '["hi"]',
      '[[]]',
      '[{}]',
      '[{"role":"user"}]',
      '[{"content":"x"}]',
      '[{"role":"wizard","content":"x"}]',
      '[{"role":1,"content":"x"}]',
      '[{"role":"user","content":1}]',
      '[{"role":"user","content":null}]',
      '[{"role":"user","content":{}}]',
      '[{"role":"user","content":[1]}]',
      '[{"role":"user","content":[{"type":"text"}]}]',
      '[{"role":"user","content":[{"type":"text","text":1}]}]',
      '[{"role":"user","content":[{"type":"hologram","text":"x"}]}]',
      '[{"role":"assistant","content":null}]',
      '[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]'.replace(
        'image_url"',
        'input_audio"',
      ),
      JSON.stringify(new Array(50_000).fill(0)),
      JSON.stringify(new Array(3000).fill({ role: 'user', content: 'x' })),
    ],
  },
  prompt: {
    only: 'completion',
    values: [
      '1',
      'true',
      '{}',
      '[]',
      '[-1]',
      '[1.5]',
      '[null]',
      '[[]]',
      '[[[1]]]',
      '["a",1]',
      '["a","b"]',
      '[[1],[2]]',
      '[99999999]',
      '[1e300]',
      JSON.stringify(new Array(100_000).fill({})),
      JSON.stringify(new Array(200_000).fill(65)),
    ],
  },
  best_of: { values: [...NOT_INTEGERS, '0', '5'], only: 'completion' },
}

/** Fields that would change the answer and are not supported. */
export const UNSUPPORTED: Record<string, string> = {
  tools: '[{"type":"function","function":{"name":"f","parameters":{}}}]',
  tool_choice: '"required"',
  functions: '[{"name":"f"}]',
  function_call: '"auto"',
  audio: '{"voice":"alloy","format":"wav"}',
  modalities: '["text","audio"]',
  prediction: '{"type":"content","content":"x"}',
  web_search_options: '{}',
  suffix: '"tail"',
  echo: 'true',
  min_tokens: '3',
  guided_regex: '"a+"',
}
