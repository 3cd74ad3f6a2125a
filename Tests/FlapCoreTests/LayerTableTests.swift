import FlapCore
import Testing

/// The table of a layer, of which names, shapes, pruning and counts are read.
struct LayerTableTests {
  private func shape(fused: FusedMaps = FusedMaps(), norms: Bool = false) -> ModelShape {
    ModelShape(
      hiddenSize: 12, headDimension: 2, vocabularySize: 9, rmsNormEpsilon: 1e-5,
      rotaryEmbedding: RotaryEmbedding(theta: 10_000), tiesEmbeddings: false,
      biases: Biases(queryKeyValue: true), normalizesQueriesAndKeys: norms, fusedMaps: fused,
      layers: [LayerShape(headCount: 6, keyValueHeadCount: 2, intermediateSize: 7)])
  }

  @Test("the names and shapes of transformers' Qwen3 with biases, in the order of its checkpoints")
  func names() {
    let tensors = shape(norms: true).tensors
    #expect(
      tensors.map { "\($0.name) \($0.shape)" } == [
        "model.embed_tokens.weight [9, 12]",
        "model.layers.0.input_layernorm.weight [12]",
        "model.layers.0.self_attn.q_proj.weight [12, 12]",
        "model.layers.0.self_attn.q_proj.bias [12]",
        "model.layers.0.self_attn.k_proj.weight [4, 12]",
        "model.layers.0.self_attn.k_proj.bias [4]",
        "model.layers.0.self_attn.v_proj.weight [4, 12]",
        "model.layers.0.self_attn.v_proj.bias [4]",
        "model.layers.0.self_attn.q_norm.weight [2]",
        "model.layers.0.self_attn.k_norm.weight [2]",
        "model.layers.0.self_attn.o_proj.weight [12, 12]",
        "model.layers.0.post_attention_layernorm.weight [12]",
        "model.layers.0.mlp.gate_proj.weight [7, 12]",
        "model.layers.0.mlp.up_proj.weight [7, 12]",
        "model.layers.0.mlp.down_proj.weight [12, 7]",
        "model.norm.weight [12]",
        "lm_head.weight [9, 12]",
      ])
  }

  @Test("fused maps are rows of one tensor, in Phi-3's order, each with its own")
  func fused() {
    let table = shape(fused: FusedMaps(queryKeyValue: true, gateUp: true)).table(layer: 0)
    #expect(
      table.tensors.map { "\($0.name) \($0.shape)" } == [
        "input_layernorm.weight [12]", "self_attn.qkv_proj.weight [20, 12]",
        "self_attn.qkv_proj.bias [20]", "self_attn.o_proj.weight [12, 12]",
        "post_attention_layernorm.weight [12]", "mlp.gate_up_proj.weight [14, 12]",
        "mlp.down_proj.weight [12, 7]",
      ])
    #expect(
      table.maps.map(\.rowRange) == [0..<12, 12..<16, 16..<20, 0..<12, 0..<7, 7..<14, 0..<12])
    #expect(table.maps.map(\.role) == LinearMap.Role.allCases.dropLast())
  }

  @Test("experts have the names of transformers' Qwen3-MoE and Mixtral")
  func experts() {
    var shape = shape()
    shape.biases = Biases()
    shape.layers[0].experts = ExpertsShape(count: 2, countPerToken: 1)
    #expect(
      shape.table(layer: 0).tensors.suffix(7).map { "\($0.name) \($0.shape)" } == [
        "mlp.gate.weight [2, 12]",
        "mlp.experts.0.gate_proj.weight [7, 12]", "mlp.experts.0.up_proj.weight [7, 12]",
        "mlp.experts.0.down_proj.weight [12, 7]", "mlp.experts.1.gate_proj.weight [7, 12]",
        "mlp.experts.1.up_proj.weight [7, 12]", "mlp.experts.1.down_proj.weight [12, 7]",
      ])
    shape.layers[0].experts?.names = .mixtral
    #expect(
      shape.table(layer: 0).tensors.suffix(4).map { "\($0.name) \($0.shape)" } == [
        "block_sparse_moe.experts.0.w2.weight [12, 7]",
        "block_sparse_moe.experts.1.w1.weight [7, 12]",
        "block_sparse_moe.experts.1.w3.weight [7, 12]",
        "block_sparse_moe.experts.1.w2.weight [12, 7]",
      ])
    #expect(shape.channelCount(layer: 0, tap: .mlpDown) == 14)
  }

  @Test("an expert that goes takes its neurons and its row of the router")
  func expertsThatGo() {
    var shape = shape()
    shape.layers[0].experts = ExpertsShape(count: 4, countPerToken: 3)
    var plan = PruningPlan(keepingAllOf: shape)
    #expect(plan.layers[0].keepsWholeExperts)
    plan.layers[0].remove(experts: [0, 2])
    #expect(plan.layers[0].keptExperts == [false, true, false, true])
    #expect(plan.kept(.experts, layer: 0, of: shape) == [false, true, false, true])
    #expect(
      plan.kept(.neurons, ofExpert: 2, layer: 0, of: shape) == Array(repeating: false, count: 7))
    #expect(
      plan.kept(.neurons, ofExpert: 3, layer: 0, of: shape) == Array(repeating: true, count: 7))
    let left = plan.prunedShape(of: shape, compensating: false).layers[0]
    // Top 3 of 4 is top 2 of 2.
    #expect(left.experts == ExpertsShape(count: 2, countPerToken: 2))
    #expect(left.intermediateSize == 7 && left.neuronCount == 14)
    #expect(plan.layers[0].keepsWholeExperts)
    plan.layers[0].keptNeurons[9] = false
    #expect(!plan.layers[0].keepsWholeExperts)
  }

  @Test("every tap feeds one map, whose columns are the tap's channels")
  func taps() {
    let shape = shape()
    for tap in Tap.allCases {
      let map = shape.table(layer: 0).map(at: tap)
      #expect(map.columns == shape.channelCount(layer: 0, tap: tap))
      #expect(map.module == tap.moduleName)
      #expect(Tap(moduleName: map.module) == tap)
    }
    #expect(Tap(moduleName: "mlp.up_proj") == nil)
  }

  @Test("what a plan keeps of an axis is what the pruned shape has of it", arguments: Axis.allCases)
  func axes(axis: Axis) {
    let shape = shape()
    var plan = PruningPlan(keepingAllOf: shape)
    plan.layers[0].keptGroups = [false, true]
    plan.layers[0].keptNeurons = [true, false, true, true, false, true, true]
    let pruned = plan.prunedShape(of: shape)
    let dense = axis.count(shape.layers[0], of: shape)
    let left = axis.count(pruned.layers[0], of: pruned)
    guard let kept = plan.kept(axis, layer: 0, of: shape) else {
      #expect(left == dense)
      return
    }
    #expect(kept.count == dense)
    #expect(kept.count { $0 } == left && left < dense)
    // A group's positions lie together, at the end here.
    if axis != .neurons { #expect(kept.suffix(left).allSatisfy { $0 }) }
  }
}
