public import Coordination
public import FlapCore
public import Statistics

/// Work whose results show how they came about: a hash that depends on every leaf and on the
/// order of every merge.
public enum VirtualWork {
  /// A stand-in for SHA-256, quick in debug builds: FNV-1a.
  public static func digest(of bytes: [UInt8]) -> Digest {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ UInt64(bytes.count)
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    let words = (0..<4).map { (hash &+ UInt64($0)) &* 0x9E37_79B9_7F4A_7C15 }
    return Digest(
      bytes: words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } })!
  }

  /// What every honest worker computes.
  public static func result(of work: Work) -> [UInt8] {
    switch work {
    case .calibrate(let block), .evaluate(let block, _):
      let first = block.node.index << block.node.level
      let tree = CanonicalTree(leafCount: first + block.samplesPerLeaf.count)
      var reducer = TreeReducer<Value>(tree: tree, target: block.node)
      for leaf in tree.leaves(of: block.node) {
        _ = reducer.accept(Value(hash: UInt64(leaf) &+ 1), of: .leaf(leaf))
      }
      return reducer.result!.bytes
    case .measureWeights(let layer): return Value(hash: 1 << 32 &+ UInt64(layer)).bytes
    case .writeShard(let index): return Value(hash: 1 << 33 &+ UInt64(index)).bytes
    }
  }

  public static func merge(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
    var value = Value(bytes: left)
    value.merge(Value(bytes: right))
    return value.bytes
  }

  /// The value of the whole tree, as one worker computes it.
  public static func rootValue(leafCount: Int) -> [UInt8] {
    result(of: block(CanonicalTree(leafCount: leafCount).root, leafCount: leafCount))
  }

  public static func block(_ node: TreeNode, leafCount: Int) -> Work {
    let leaves = CanonicalTree(leafCount: leafCount).leaves(of: node)
    return .calibrate(
      TokenBlock(
        node: node, samplesPerLeaf: leaves.map { _ in 1 }, tokensPerSample: 1,
        tokens: leaves.map { Int32($0) }))
  }

  private struct Value: Mergeable {
    var hash: UInt64

    init(hash: UInt64) { self.hash = hash &* 0x9E37_79B9_7F4A_7C15 }

    init(bytes: [UInt8]) {
      hash = bytes.prefix(8).enumerated().reduce(0) { $0 | UInt64($1.element) << ($1.offset * 8) }
    }

    mutating func merge(_ right: Value) {
      hash = (hash ^ (hash >> 29)) &* 0xBF58_476D_1CE4_E5B9 &+ right.hash
    }

    /// 8…71 bytes: one chunk or several.
    var bytes: [UInt8] {
      (0..<8 + Int(hash >> 58)).map { UInt8(truncatingIfNeeded: hash >> (($0 % 8) * 8)) }
    }
  }
}
