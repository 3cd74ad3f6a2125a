internal import FlapCore
internal import Statistics
internal import Transformer

/// One kind of statistic of taps, leaf by leaf merged up to a node.
protocol TapReduction: AnyObject {
  var observer: any TapObserver { get }
  func begin(_ node: TreeNode, leafCount: Int)
  /// - Parameter leaf: the leaf's number in the run.
  func take(_ passage: TapPassage, as leaf: Int)
  /// The node's value at the passage's tap, all of whose leaves were taken.
  func end(_ passage: TapPassage) -> StatisticPart
}

/// Opens what the catalog has.
func makeReduction<Gatherer: TapGatherer>(
  _ type: Gatherer.Type, _ limits: ObserverLimits
) throws -> any TapReduction {
  GathererReduction(try type.init(limits))
}

private final class GathererReduction<Gatherer: TapGatherer>: TapReduction {
  private let gatherer: Gatherer
  private var reducers: PerTap<TreeReducer<Gatherer.Value>>
  private var node = TreeNode.leaf(0)
  private var leafCount = 1

  init(_ gatherer: Gatherer) {
    self.gatherer = gatherer
    reducers = PerTap { _ in TreeReducer(under: .leaf(0), leafCount: 1) }
  }

  var observer: any TapObserver { gatherer }

  func begin(_ node: TreeNode, leafCount: Int) {
    self.node = node
    self.leafCount = leafCount
    reducers = PerTap { _ in TreeReducer(under: node, leafCount: leafCount) }
  }

  func take(_ passage: TapPassage, as leaf: Int) {
    reducers[passage.tap].take(gatherer.take(passage), as: leaf)
  }

  func end(_ passage: TapPassage) -> StatisticPart {
    let place = TapPlace(layer: passage.layer, passage.tap)
    let part = StatisticPart(reducers[passage.tap].value, at: place, node: node)
    reducers[passage.tap] = TreeReducer(under: node, leafCount: leafCount)
    return part
  }
}

extension TreeReducer {
  /// Whose target is a node. Below a node the tree looks the same however many leaves follow, so it is
  /// enough to know those up to its end.
  init(under node: TreeNode, leafCount: Int) {
    let tree = CanonicalTree(leafCount: node.index << node.level + leafCount)
    self.init(tree: tree, target: node)
  }

  mutating func take(_ value: Value, as leaf: Int) {
    let acceptance = accept(value, of: .leaf(leaf))
    precondition(acceptance == .accepted, "the forward pass visits every leaf once")
  }

  /// - Precondition: every leaf was taken.
  var value: Value {
    guard let result else { preconditionFailure("a node's value is there when its leaves are") }
    return result
  }
}
