internal import Coordination
internal import Statistics

extension LedgerKey {
  /// How the journal names it: `shard/0`, or as ``StatisticKey`` says: `moments/3/mlp.down_proj/2/5`.
  var text: String {
    switch self {
    case .statistic(let key): key.description
    case .shard(let index): "\(LedgerKey.shardName)/\(index)"
    }
  }

  init?(text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    if parts.first == LedgerKey.shardName[...] {
      guard parts.count == 2, let index = Int(parts[1]), index >= 0 else { return nil }
      self = .shard(index: index)
    } else {
      guard let key = StatisticKey(text: text) else { return nil }
      self = .statistic(key)
    }
  }

  private static let shardName = "shard"
}
