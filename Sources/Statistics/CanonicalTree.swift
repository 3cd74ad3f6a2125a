/// One node of a ``CanonicalTree``: the 2^level leaves from index · 2^level on, as far as they
/// exist. Level 0 are the leaves.
public struct TreeNode: Hashable, Sendable {
  public var level: Int
  public var index: Int

  public init(level: Int, index: Int) {
    self.level = level
    self.index = index
  }

  public static func leaf(_ index: Int) -> TreeNode { TreeNode(level: 0, index: index) }

  /// Left children have even indices; the root counts as one.
  public var isLeftChild: Bool { index & 1 == 0 }
}

extension TreeNode: CustomStringConvertible {
  public var description: String { "node \(index) of level \(level)" }
}

/// The binary tree over the leaf numbers 0 ..< `leafCount` in which sums are formed.
///
/// The tree depends on the count of leaves alone, so a value reduced along it has the same bits
/// whoever computes which part, and when. A node at the right edge may have a left child only:
/// then it *is* its left child (the same leaves, the same value, no arithmetic).
///
/// Queries about nodes take valid ones (a precondition); ``contains(_:)`` tells for a node from
/// the wire.
public struct CanonicalTree: Hashable, Sendable {
  public let leafCount: Int
  /// Level of the root: the smallest with 2^level ≥ `leafCount`.
  public let rootLevel: Int

  /// - Precondition: 1 ≤ `leafCount` ≤ 2^61.
  public init(leafCount: Int) {
    precondition((1...1 << 61).contains(leafCount), "A tree has between 1 and 2^61 leaves.")
    self.leafCount = leafCount
    rootLevel = Int.bitWidth - (leafCount - 1).leadingZeroBitCount
  }

  public var root: TreeNode { TreeNode(level: rootLevel, index: 0) }

  /// Whether the tree has this node; any values may be asked about.
  public func contains(_ node: TreeNode) -> Bool {
    (0...rootLevel).contains(node.level) && node.index >= 0
      && node.index < nodeCount(atLevel: node.level)
  }

  /// Nodes of a level between 0 and `rootLevel`.
  public func nodeCount(atLevel level: Int) -> Int {
    precondition((0...rootLevel).contains(level), "The tree has no such level.")
    return (leafCount - 1) >> level + 1
  }

  /// All nodes of a level, from the left; together they have every leaf once.
  public func nodes(atLevel level: Int) -> [TreeNode] {
    (0..<nodeCount(atLevel: level)).map { TreeNode(level: level, index: $0) }
  }

  /// The leaves below a node.
  public func leaves(of node: TreeNode) -> Range<Int> {
    precondition(contains(node), "The tree has no such node.")
    return node.index << node.level..<min(leafCount, (node.index + 1) << node.level)
  }

  /// The one or two children of a node, the left one first; none of a leaf.
  public func children(of node: TreeNode) -> [TreeNode] {
    precondition(contains(node), "The tree has no such node.")
    guard node.level > 0 else { return [] }
    let left = TreeNode(level: node.level - 1, index: 2 * node.index)
    let right = TreeNode(level: node.level - 1, index: 2 * node.index + 1)
    return contains(right) ? [left, right] : [left]
  }

  /// The node above; nil above the root.
  public func parent(of node: TreeNode) -> TreeNode? {
    precondition(contains(node), "The tree has no such node.")
    guard node.level < rootLevel else { return nil }
    return TreeNode(level: node.level + 1, index: node.index >> 1)
  }

  /// The other child of the node's parent; nil for the root and for an only child.
  public func sibling(of node: TreeNode) -> TreeNode? {
    precondition(contains(node), "The tree has no such node.")
    let sibling = TreeNode(level: node.level, index: node.index ^ 1)
    return node.level < rootLevel && contains(sibling) ? sibling : nil
  }
}
