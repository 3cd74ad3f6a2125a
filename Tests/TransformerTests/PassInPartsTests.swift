import FlapCore
import Kernels
import Testing
import Transformer

/// A pass that stops before half of a layer and goes on from there is the pass without a stop.
struct PassInPartsTests {
  /// Leaf by leaf: the sum over all logits of its rows shows any other bit of its stream.
  private func whole(_ model: Llama, _ leaves: [Leaf]) throws -> [LeafLoss] {
    try leaves.flatMap { leaf in
      try model.forward([leaf])
      return try model.losses(of: [leaf]) {}
    }
  }

  private func finished(_ model: Llama, _ streams: ResidualStreams) throws -> [LeafLoss] {
    var losses: [LeafLoss] = []
    try model.finish(streams) { _ in
    } body: { microBatch, first in
      #expect(first == losses.count)
      losses += try model.losses(of: microBatch) {}
    }
    return losses
  }

  @Test(
    "from the tokens to any step, half of a layer, and on from there",
    arguments: ComputeType.allCases)
  func stops(compute: ComputeType) throws {
    let wide = try WideModel(neurons: 40)
    let leaves = wide.leaves
    let expected = try whole(wide.model(compute), leaves)
    #expect(Set(expected.map(\.sum)).count == leaves.count)
    for leavesPerMicroBatch in [1, 2, 5] {
      let model = try wide.model(compute, threads: 2, leaves: leavesPerMicroBatch)
      for step in 0...6 {
        var passages = 0
        let streams = try model.streams(of: leaves, before: step) { _ in passages += 1 }
        #expect(streams.step == step)
        #expect(passages == step * leaves.count)
        #expect(try finished(model, streams) == expected, "stopped before step \(step)")
        // They are copies: the passes since have not changed them.
        #expect(try finished(model, streams) == expected)
      }
    }
  }

  @Test("from an earlier stop to a later one")
  func further() throws {
    let wide = try WideModel(neurons: 40)
    let leaves = wide.leaves
    let model = try wide.model(.float32)
    let expected = try whole(model, leaves)
    var streams = try model.streams(of: leaves, before: 0) { _ in }
    for step in [0, 1, 3, 6] {
      var passages = 0
      let earlier = streams
      streams = try model.streams(of: leaves, before: step, from: earlier) { _ in passages += 1 }
      #expect(passages == (step - earlier.step) * leaves.count)
      #expect(try finished(model, streams) == expected)
      #expect(try finished(model, earlier) == expected, "what was gone on from is left alone")
    }
  }

  @Test("a pruned model goes on from the dense one's streams where it lacks nothing before")
  func pruned() throws {
    let wide = try WideModel(neurons: 40)
    let leaves = wide.leaves
    let model = try wide.model(.bfloat16)
    let pruning = try wide.pruning()
    let dense = try model.streams(of: leaves, before: 2) { _ in }
    model.pruning = pruning
    let expected = try whole(model, leaves)
    #expect(try finished(model, dense) == expected)
    model.pruning = nil
    #expect(try whole(model, leaves) != expected)
  }

  @Test("what a tap throws ends it")
  func cancellation() throws {
    struct Stop: Error {}
    let wide = try WideModel(neurons: 40)
    let model = try wide.model(.float32)
    #expect(throws: Stop.self) {
      try model.streams(of: wide.leaves, before: 2) { _ in throw Stop() }
    }
    let streams = try model.streams(of: wide.leaves, before: 1) { _ in }
    #expect(throws: Stop.self) {
      try model.finish(streams) { _ in
        throw Stop()
      } body: { _, _ in
      }
    }
  }
}
