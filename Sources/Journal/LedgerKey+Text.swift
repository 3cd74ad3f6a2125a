internal import Coordination
internal import Statistics

extension LedgerKey {
  /// How the journal names it: `node/2/5`, `norms/3`, `shard/0`.
  var text: String {
    switch self {
    case .node(let node): "node/\(node.level)/\(node.index)"
    case .norms(let layer): "norms/\(layer)"
    case .shard(let index): "shard/\(index)"
    }
  }

  init?(text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    let numbers = parts.dropFirst().compactMap { Int($0) }
    guard numbers.count == parts.count - 1, numbers.allSatisfy({ $0 >= 0 }) else { return nil }
    switch (parts.first, numbers.count) {
    case ("node", 2) where numbers[0] < Int.bitWidth:
      self = .node(TreeNode(level: numbers[0], index: numbers[1]))
    case ("norms", 1): self = .norms(layer: numbers[0])
    case ("shard", 1): self = .shard(index: numbers[0])
    default: return nil
    }
  }
}
