internal import FlapCore

/// The keys of llama.cpp (`LLM_KV_NAMES` in `llama-arch.cpp`) for the model itself.
extension GGUFExport {
  static func metadata(
    _ shape: ModelShape, _ facts: ModelFacts, _ elementType: ElementType, _ target: Architecture
  ) -> [(key: String, value: MetadataValue)] {
    let architecture = target.name
    var entries: [(key: String, value: MetadataValue)] = [
      ("general.architecture", .string(architecture)), ("general.type", .string("model")),
    ]
    if let name = facts.name { entries.append(("general.name", .string(name))) }
    entries.append(("general.file_type", .uint32(elementType.fileTypeCode)))
    // Of ggml's block formats (`GGML_QNT_VERSION`); files without such blocks say it, too.
    entries.append(("general.quantization_version", .uint32(2)))
    func add(_ key: String, _ value: MetadataValue) {
      entries.append(("\(architecture).\(key)", value))
    }
    func add(_ key: String, _ value: Int) { add(key, .uint32(UInt32(value))) }
    /// A number per layer; one for all where the architecture has equal layers.
    func add(_ key: String, _ values: [Int]) {
      shape.isUniform || !target.takesUnequalLayers
        ? add(key, values[0]) : add(key, .int32s(values.map { Int32($0) }))
    }
    add("block_count", shape.layers.count)
    let window = target.hasWindows ? nil : facts.slidingWindow(shape)
    add("context_length", window ?? facts.positionCount)
    add("embedding_length", shape.hiddenSize)
    add("vocab_size", shape.vocabularySize)
    add("feed_forward_length", shape.layers.map(\.intermediateSize))
    if let experts = shape.layers[0].experts {
      add("expert_count", experts.count)
      add("expert_used_count", experts.countPerToken)
      add("expert_feed_forward_length", shape.layers[0].intermediateSize)
    }
    add("attention.head_count", shape.layers.map(\.headCount))
    add("attention.head_count_kv", shape.layers.map(\.keyValueHeadCount))
    // Named always: what llama.cpp derives otherwise comes from the heads of layer 0.
    add("attention.key_length", shape.headDimension)
    add("attention.value_length", shape.headDimension)
    add("attention.layer_norm_rms_epsilon", .float32(Float(shape.rmsNormEpsilon)))
    add("rope.dimension_count", shape.headDimension)
    add("rope.freq_base", .float32(Float(shape.rotaryEmbedding.theta)))
    for entry in shape.rotaryEmbedding.scalingEntries { add(entry.key, entry.value) }
    for entry in target.entries { add(entry.key, entry.value) }
    return entries
  }
}
