/// Which nodes of a ``CanonicalTree`` are there, and which of them are to be merged: the tree's
/// bookkeeping, without the values.
///
/// Whole nodes arrive in any order, at any levels; siblings are merged, left before right, as
/// soon as both are there. In order of arrival from the left, at most one node per level is held.
public struct TreeFrontier: Sendable {
  /// Why a node is not accepted.
  public enum Refusal: Hashable, Sendable {
    /// All leaves of the node are counted already.
    case duplicate
    /// Some, not all, leaves of the node are counted already.
    case overlap
    /// The tree has no such node, or it is not below the target.
    case unknownNode
  }

  /// Two held nodes whose values, merged left before right, are the value of their parent.
  public struct Merge: Hashable, Sendable {
    public let left: TreeNode
    public let right: TreeNode
    public let parent: TreeNode

    fileprivate func sibling(of node: TreeNode) -> TreeNode { left == node ? right : left }
  }

  /// What becomes of a node that is counted: with its sibling's value its own makes the parent's,
  /// with that one's sibling the next, as far as siblings are there.
  public struct Climb: Sendable {
    public let start: TreeNode
    /// In order; each takes the parent of the one before.
    public let merges: [Merge]
    /// The frontier afterwards.
    public let frontier: TreeFrontier

    /// The node whose value is held in the end.
    public var end: TreeNode { merges.last?.parent ?? start }

    /// The nodes whose values are used up.
    public var siblings: [TreeNode] {
      var node = start
      return merges.map { merge in
        defer { node = merge.parent }
        return merge.sibling(of: node)
      }
    }

    /// The value of ``end``: the one way in which values of nodes are merged.
    ///
    /// - Parameters:
    ///   - value: of ``start``.
    ///   - sibling: gives the value of a held node.
    ///   - merge: gives the value of a parent from those of its children.
    public func fold<Value>(
      _ value: Value, sibling: (TreeNode) throws -> Value,
      merge: (_ left: Value, _ right: Value, _ parent: TreeNode) throws -> Value
    ) rethrows -> Value {
      var (value, node) = (value, start)
      for step in merges {
        let other = try sibling(step.sibling(of: node))
        value =
          try step.left == node
          ? merge(value, other, step.parent) : merge(other, value, step.parent)
        node = step.parent
      }
      return value
    }
  }

  private struct Held: Sendable {
    var node: TreeNode
    var leaves: Range<Int>
  }

  public let tree: CanonicalTree
  /// The node that is wanted.
  public let target: TreeNode
  private var held: [Held] = []

  /// - Parameter target: the root unless given.
  /// - Precondition: `tree` has the target.
  public init(tree: CanonicalTree, target: TreeNode? = nil) {
    let target = target ?? tree.root
    precondition(tree.contains(target), "The tree has no such node.")
    self.tree = tree
    self.target = target
  }

  /// The nodes held, from the left, named as they were accepted or merged. Accepted into a new
  /// frontier they restore this one.
  public var nodes: [TreeNode] { held.map(\.node) }

  public var isComplete: Bool { held.count == 1 && held[0].leaves == tree.leaves(of: target) }

  /// The fewest nodes that together have every leaf not counted yet, from the left.
  public var missingNodes: [TreeNode] {
    let wanted = tree.leaves(of: target)
    var missing: [TreeNode] = []
    var next = wanted.lowerBound
    for held in held {
      missing += tree.nodes(covering: next..<held.leaves.lowerBound)
      next = held.leaves.upperBound
    }
    return missing + tree.nodes(covering: next..<wanted.upperBound)
  }

  /// Why ``counting(_:)`` may not be called with this node; nil where it may.
  public func refusal(of node: TreeNode) -> Refusal? {
    guard tree.contains(node) else { return .unknownNode }
    let leaves = tree.leaves(of: node)
    let wanted = tree.leaves(of: target)
    guard wanted.lowerBound <= leaves.lowerBound, leaves.upperBound <= wanted.upperBound else {
      return .unknownNode
    }
    let position = firstPosition(endingAfter: leaves.lowerBound)
    guard position < held.count else { return nil }
    let other = held[position].leaves
    if other.lowerBound <= leaves.lowerBound && leaves.upperBound <= other.upperBound {
      return .duplicate
    }
    return other.lowerBound < leaves.upperBound ? .overlap : nil
  }

  /// Counts a node.
  ///
  /// - Precondition: ``refusal(of:)`` is nil.
  public func counting(_ node: TreeNode) -> Climb {
    precondition(refusal(of: node) == nil, "A node is counted once.")
    var grown = self
    let leaves = tree.leaves(of: node)
    let position = firstPosition(endingAfter: leaves.lowerBound)
    grown.held.insert(Held(node: node, leaves: leaves), at: position)
    let merges = grown.mergeUpwards(from: position)
    return Climb(start: node, merges: merges, frontier: grown)
  }

  /// Merges the node at `position` with its sibling, the result with its sibling, and so on.
  private mutating func mergeUpwards(from position: Int) -> [Merge] {
    var merges: [Merge] = []
    var position = position
    var node = held[position].node
    let wanted = tree.leaves(of: target)
    while held[position].leaves != wanted, let parent = tree.parent(of: node) {
      // An only child's value is its parent's.
      if let sibling = tree.sibling(of: node) {
        let left = node.isLeftChild ? position : position - 1
        let other = node.isLeftChild ? position + 1 : position - 1
        guard held.indices.contains(other), held[other].leaves == tree.leaves(of: sibling) else {
          return merges
        }
        let right = held.remove(at: left + 1)
        merges.append(Merge(left: held[left].node, right: right.node, parent: parent))
        held[left] = Held(node: parent, leaves: tree.leaves(of: parent))
        position = left
      }
      node = parent
    }
    return merges
  }

  /// The first held node whose leaves end after `leaf`, by bisection; `held.count` if none.
  private func firstPosition(endingAfter leaf: Int) -> Int {
    var low = 0
    var high = held.count
    while low < high {
      let middle = (low + high) / 2
      if held[middle].leaves.upperBound > leaf {
        high = middle
      } else {
        low = middle + 1
      }
    }
    return low
  }
}
