/**
 * Writes a graph of TensorFlow operations as a SavedModel: the few messages of its protocol that this takes (graph.proto,
 * node_def.proto, attr_value.proto, tensor.proto, meta_graph.proto, saved_model.proto), field by field. Knows the
 * format; nothing of what is computed.
 * @module
 */

/** A node's output, as other nodes name it. */
export type Ref = string

/** An attribute's value by its kind; tensors and shapes as messages. */
export type Attr =
  | { type: number }
  | { bool: boolean }
  | { int: number }
  | { text: string }
  | { tensor: Uint8Array }
  | { shape: Uint8Array }

/** TensorFlow's numbers of two types. */
export const [FLOAT, INT32] = [1, 3]
/** Of the graphs that are written; newer libraries read them. */
const PRODUCER = 1087

const text = new TextEncoder()

function varint(value: number | bigint): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: number[] = []
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0))
    rest >>= 7n
  } while (rest > 0n)
  return Uint8Array.from(bytes)
}

const joined = (parts: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0)
  return all
}
/** A number's field. */
const number = (field: number, value: number): Uint8Array => joined([varint(field << 3), varint(value)])
/** A field of bytes, text, or a message. */
const bytes = (field: number, value: Uint8Array | string): Uint8Array => {
  const content = typeof value === 'string' ? text.encode(value) : value
  return joined([varint((field << 3) | 2), varint(content.length), content])
}

/** TensorShapeProto; -1 = any. */
const shapeOf = (dims: readonly number[]): Uint8Array => joined(dims.map((size) => bytes(2, number(1, size))))

function attrOf(attr: Attr): Uint8Array {
  if ('type' in attr) return number(6, attr.type)
  if ('bool' in attr) return number(5, attr.bool ? 1 : 0)
  if ('int' in attr) return number(3, attr.int)
  if ('text' in attr) return bytes(2, attr.text)
  if ('shape' in attr) return bytes(7, attr.shape)
  return bytes(8, attr.tensor)
}

/** Nodes in the order in which they are added; each gets a name of its own. */
export class GraphDef {
  readonly #nodes: Uint8Array[] = []

  /** What a run is handed; -1 = any size. */
  placeholder(name: string, dims: readonly number[], type = FLOAT): Ref {
    return this.#add(name, 'Placeholder', [], { dtype: { type }, shape: { shape: shapeOf(dims) } })
  }

  float(value: number): Ref {
    return this.#constant(FLOAT, [], new Uint8Array(Float32Array.of(value).buffer))
  }

  ints(...values: number[]): Ref {
    return this.#constant(INT32, [values.length], new Uint8Array(Int32Array.from(values).buffer))
  }

  int(value: number): Ref {
    return this.#constant(INT32, [], new Uint8Array(Int32Array.of(value).buffer))
  }

  op(op: string, inputs: readonly Ref[], attrs: Record<string, Attr>, name = `n${this.#nodes.length}`): Ref {
    return this.#add(name, op, inputs, attrs)
  }

  /** The whole file `saved_model.pb`, for the tag `serve`. */
  savedModel(): Uint8Array {
    const graph = joined([...this.#nodes, bytes(4, number(1, PRODUCER))])
    const about = bytes(4, 'serve')
    return joined([number(1, 1), bytes(2, joined([bytes(1, about), bytes(2, graph)]))])
  }

  #constant(type: number, dims: readonly number[], content: Uint8Array): Ref {
    const tensor = joined([number(1, type), bytes(2, shapeOf(dims)), bytes(4, content)])
    return this.op('Const', [], { dtype: { type }, value: { tensor } })
  }

  #add(name: string, op: string, inputs: readonly Ref[], attrs: Record<string, Attr>): Ref {
    const fields = [bytes(1, name), bytes(2, op), ...inputs.map((input) => bytes(3, input))]
    for (const [key, attr] of Object.entries(attrs)) fields.push(bytes(5, joined([bytes(1, key), bytes(2, attrOf(attr))])))
    this.#nodes.push(bytes(1, joined(fields)))
    return name
  }
}
