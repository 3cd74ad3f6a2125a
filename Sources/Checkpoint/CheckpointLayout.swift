internal import FoundationEssentials

/// Which tensor of a checkpoint goes into which shard: in order, each shard as full as fits.
public struct CheckpointLayout: Sendable {
  public struct Shard: Hashable, Sendable {
    public let fileName: String
    public let tensors: [TensorDeclaration]

    public var byteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }
  }

  public let shards: [Shard]

  /// - Parameter maximumShardBytes: a tensor larger than this has a shard of its own.
  public init(tensors: [TensorDeclaration], maximumShardBytes: Int) {
    var groups: [[TensorDeclaration]] = [[]]
    var groupBytes = 0
    for tensor in tensors {
      if groupBytes + tensor.byteCount > maximumShardBytes, !groups[groups.count - 1].isEmpty {
        groups.append([])
        groupBytes = 0
      }
      groups[groups.count - 1].append(tensor)
      groupBytes += tensor.byteCount
    }
    let count = groups.count
    shards = groups.enumerated().map { index, tensors in
      let name =
        count == 1
        ? "model.safetensors"
        : "model-\(Self.fiveDigits(index + 1))-of-\(Self.fiveDigits(count)).safetensors"
      return Shard(fileName: name, tensors: tensors)
    }
  }

  private static func fiveDigits(_ number: Int) -> String {
    String(repeating: "0", count: max(0, 5 - "\(number)".count)) + "\(number)"
  }

  public var byteCount: Int { shards.reduce(0) { $0 + $1.byteCount } }

  /// `model.safetensors.index.json`; nil for a single shard, which needs none.
  public func indexJSON() throws -> [UInt8]? {
    guard shards.count > 1 else { return nil }
    struct Index: Encodable {
      let metadata: [String: Int]
      let weightMap: [String: String]
      enum CodingKeys: String, CodingKey {
        case metadata
        case weightMap = "weight_map"
      }
    }
    let pairs = shards.flatMap { shard in shard.tensors.map { ($0.name, shard.fileName) } }
    let index = Index(
      metadata: ["total_size": byteCount], weightMap: Dictionary(uniqueKeysWithValues: pairs))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    return Array(try encoder.encode(index)) + [UInt8(ascii: "\n")]
  }
}
