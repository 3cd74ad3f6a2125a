public import FlapCore

/// A tap of a model.
public struct TapPlace: Hashable, Sendable {
  public var layer: Int
  public var tap: Tap

  public init(layer: Int, _ tap: Tap) {
    self.layer = layer
    self.tap = tap
  }

  /// Its position among the taps that samples meet: two in every layer.
  public var step: Int { Tap.allCases.count * layer + tap.rawValue }

  /// All taps of a model, layer by layer: the order in which samples meet them.
  public static func all(in layers: Range<Int>) -> [TapPlace] {
    layers.flatMap { layer in Tap.allCases.map { TapPlace(layer: layer, $0) } }
  }
}

/// Which statistic: of what kind, of which tap, of which samples. Assignments ask for it, reports
/// carry it, the ledger and its journal keep it under this name.
public struct StatisticKey: Hashable, Sendable {
  public var kind: StatisticKind
  /// nil: of the whole model.
  public var place: TapPlace?
  /// Of the canonical tree, whose leaves are samples; nil: of no samples.
  public var node: TreeNode?

  public init(_ kind: StatisticKind, _ place: TapPlace?, node: TreeNode?) {
    self.kind = kind
    self.place = place
    self.node = node
  }

  /// The same of other samples.
  public func of(_ node: TreeNode) -> StatisticKey { StatisticKey(kind, place, node: node) }

  /// What it is of, for people.
  public var subject: String {
    place.map { $0.tap.moduleName(layer: $0.layer) } ?? "the whole model"
  }
}

/// As text: the kind, then the layer and the map that the tap feeds, then level and index of the
/// node, as far as there are such: `moments/3/mlp.down_proj/2/5`, `loss/2/5`,
/// `weight-norms/3/mlp.down_proj`.
extension StatisticKey: CustomStringConvertible {
  public var description: String {
    kind.name + (place.map { "/\($0.layer)/\($0.tap.moduleName)" } ?? "")
      + (node.map { "/\($0.level)/\($0.index)" } ?? "")
  }

  /// - Returns: nil where the text is no key.
  public init?(text: String) {
    var parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)[...]
    guard let name = parts.popFirst(), let kind = StatisticKind(text: name) else { return nil }
    self.init(kind, nil, node: nil)
    if parts.count >= 2, let tap = Tap(moduleName: parts[parts.startIndex + 1]) {
      guard let layer = StatisticKey.natural(parts[parts.startIndex]) else { return nil }
      place = TapPlace(layer: layer, tap)
      parts = parts.dropFirst(2)
    }
    guard !parts.isEmpty else { return }
    guard parts.count == 2, let level = StatisticKey.natural(parts[parts.startIndex]),
      let index = StatisticKey.natural(parts[parts.startIndex + 1]), level < Int.bitWidth
    else { return nil }
    node = TreeNode(level: level, index: index)
  }

  private static func natural(_ text: String) -> Int? { Int(text).flatMap { $0 >= 0 ? $0 : nil } }
}
