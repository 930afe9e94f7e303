// Reads the weights out of an ONNX file: its constant tensors, by name.

const VARINT = 0;
const FIXED_64 = 1;
const BYTES = 2;
const FIXED_32 = 5;
/** Numbers of the fields (onnx.proto3) that lead to a tensor: model, graph, node, attribute. */
const MODEL_GRAPH = 7;
const GRAPH_NODE = 1;
const NODE_ATTRIBUTE = 5;
const ATTRIBUTE_TENSOR = 5;
const ATTRIBUTE_GRAPH = 6;
const TENSOR = { dims: 1, type: 2, name: 8, raw: 9 };
const TYPE_FLOAT = 1;

/** Yields `{name, dims, data}` (a Float32Array) for each named tensor of floats in the file. */
export function* namedTensors(file) {
  for (const { value } of fieldsOf(new Uint8Array(file), MODEL_GRAPH)) yield* tensorsOfGraph(value);
}

function* tensorsOfGraph(graph) {
  for (const node of fieldsOf(graph, GRAPH_NODE)) {
    for (const attribute of fieldsOf(node.value, NODE_ATTRIBUTE)) {
      for (const { value } of fieldsOf(attribute.value, ATTRIBUTE_GRAPH)) yield* tensorsOfGraph(value);
      for (const { value } of fieldsOf(attribute.value, ATTRIBUTE_TENSOR)) yield* tensorOf(value);
    }
  }
}

function* tensorOf(bytes) {
  const dims = [];
  const tensor = { name: "", dims };
  let type = 0;
  for (const { number, value } of fields(bytes)) {
    if (number === TENSOR.dims) dims.push(...(typeof value === "number" ? [value] : varints(value)));
    else if (number === TENSOR.type) type = value;
    else if (number === TENSOR.name) tensor.name = new TextDecoder().decode(value);
    else if (number === TENSOR.raw) tensor.data = value;
  }
  if (tensor.name === "" || type !== TYPE_FLOAT || !tensor.data) return;
  // A copy: the bytes in the file need not be aligned.
  yield { ...tensor, data: new Float32Array(tensor.data.slice().buffer) };
}

function* fieldsOf(bytes, wanted) {
  for (const field of fields(bytes)) if (field.number === wanted) yield field;
}

/** Yields the fields of a message of protocol buffers: a number, or bytes. */
function* fields(bytes) {
  const reader = { bytes, at: 0 };
  while (reader.at < bytes.length) {
    const tag = varint(reader);
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    if (wire === VARINT) yield { number, value: varint(reader) };
    else if (wire === BYTES) yield { number, value: take(reader, varint(reader)) };
    else if (wire === FIXED_64) take(reader, 8);
    else if (wire === FIXED_32) take(reader, 4);
    else throw new Error("The file of the speech detector is damaged: run the set-up again.");
  }
}

function* varints(bytes) {
  const reader = { bytes, at: 0 };
  while (reader.at < bytes.length) yield varint(reader);
}

function varint(reader) {
  let [value, factor] = [0, 1];
  for (;;) {
    const byte = reader.bytes[reader.at];
    reader.at += 1;
    value += (byte & 127) * factor;
    if (!(byte & 128)) return value;
    factor *= 128;
  }
}

function take(reader, length) {
  reader.at += length;
  return reader.bytes.subarray(reader.at - length, reader.at);
}
