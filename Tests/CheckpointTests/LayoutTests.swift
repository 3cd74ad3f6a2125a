import Checkpoint
import FlapCore
import Foundation
import Testing

/// How tensors are shared out among shards.
struct LayoutTests {
  static let tensors = [100, 50, 60, 300, 10].enumerated().map {
    TensorDeclaration(name: "t\($0.offset)", elementType: .uint8, shape: [$0.element])
  }

  @Test("in order, as full as fits; a tensor larger than a shard stands alone")
  func shards() throws {
    let layout = CheckpointLayout(tensors: LayoutTests.tensors, maximumShardBytes: 160)
    #expect(
      layout.shards.map { $0.tensors.map(\.name) } == [["t0", "t1"], ["t2"], ["t3"], ["t4"]])
    #expect(layout.shards[1].fileName == "model-00002-of-00004.safetensors")
    let index = try #require(try layout.indexJSON())
    let json = try JSONSerialization.jsonObject(with: Data(index)) as? [String: Any]
    #expect((json?["metadata"] as? [String: Int])?["total_size"] == 520)
    #expect((json?["weight_map"] as? [String: String])?["t4"] == "model-00004-of-00004.safetensors")
  }

  @Test("one shard has no number and needs no index")
  func single() throws {
    let layout = CheckpointLayout(tensors: LayoutTests.tensors, maximumShardBytes: 520)
    #expect(layout.shards.map(\.fileName) == ["model.safetensors"])
    #expect(try layout.indexJSON() == nil)
  }
}
