/// Merges values of the nodes of a ``CanonicalTree`` up to one node, the target.
///
/// Values of whole nodes arrive in any order, at any levels; siblings are merged, left before
/// right, as soon as both are there. The bits of the result depend on the leaves' values alone,
/// provided that whoever reports a node above the leaves has merged it along the same tree (with
/// a reducer of its own, whose target is that node).
///
/// In order of arrival from the left, at most one value per level is held.
public struct TreeReducer<Value: Mergeable>: Sendable {
  /// What became of a value.
  public enum Acceptance: Hashable, Sendable {
    case accepted
    /// All leaves of the node are counted already; the value was dropped.
    case duplicate
    /// Some, not all, leaves of the node are counted already; the value was refused.
    case overlap
    /// The tree has no such node, or it is not below the target; the value was refused.
    case unknownNode
  }

  /// A value that waits for its sibling's, with the name of its node.
  public struct Pending: Sendable {
    public fileprivate(set) var node: TreeNode
    public fileprivate(set) var value: Value
    fileprivate var leaves: Range<Int>
  }

  public let tree: CanonicalTree
  /// The node whose value is wanted.
  public let target: TreeNode
  /// The values held, from the left. Accepted into a new reducer they restore this one.
  public private(set) var pending: [Pending] = []

  /// - Parameter target: the root unless given.
  /// - Precondition: `tree` has the target.
  public init(tree: CanonicalTree, target: TreeNode? = nil) {
    let target = target ?? tree.root
    precondition(tree.contains(target), "The tree has no such node.")
    self.tree = tree
    self.target = target
  }

  /// The target's value once every leaf is counted.
  public var result: Value? { isComplete ? pending[0].value : nil }

  public var isComplete: Bool {
    pending.count == 1 && pending[0].leaves == tree.leaves(of: target)
  }

  /// The fewest nodes that together have every leaf not counted yet, from the left.
  public var missingNodes: [TreeNode] {
    let wanted = tree.leaves(of: target)
    var missing: [TreeNode] = []
    var next = wanted.lowerBound
    for held in pending {
      missing += tree.nodes(covering: next..<held.leaves.lowerBound)
      next = held.leaves.upperBound
    }
    return missing + tree.nodes(covering: next..<wanted.upperBound)
  }

  /// Counts the value of a node, or says why not. A value is only ever counted once.
  public mutating func accept(_ value: consuming Value, of node: TreeNode) -> Acceptance {
    if let refusal = refusal(of: node) { return refusal }
    let leaves = tree.leaves(of: node)
    let position = firstPosition(endingAfter: leaves.lowerBound)
    pending.insert(Pending(node: node, value: value, leaves: leaves), at: position)
    mergeUpwards(from: position)
    return .accepted
  }

  /// What ``accept(_:of:)`` would say of this node; nil where it would accept. Lets a coordinator
  /// turn a report down before receiving it.
  public func refusal(of node: TreeNode) -> Acceptance? {
    guard tree.contains(node) else { return .unknownNode }
    let leaves = tree.leaves(of: node)
    let wanted = tree.leaves(of: target)
    guard wanted.lowerBound <= leaves.lowerBound, leaves.upperBound <= wanted.upperBound else {
      return .unknownNode
    }
    let position = firstPosition(endingAfter: leaves.lowerBound)
    guard position < pending.count else { return nil }
    let held = pending[position].leaves
    if held.lowerBound <= leaves.lowerBound && leaves.upperBound <= held.upperBound {
      return .duplicate
    }
    return held.lowerBound < leaves.upperBound ? .overlap : nil
  }

  /// Merges the value at `position` with its sibling's, the result with its sibling's, and so on.
  private mutating func mergeUpwards(from position: Int) {
    var position = position
    var node = pending[position].node
    let wanted = tree.leaves(of: target)
    while pending[position].leaves != wanted, let parent = tree.parent(of: node) {
      if let sibling = tree.sibling(of: node) {
        let left = node.isLeftChild ? position : position - 1
        let other = node.isLeftChild ? position + 1 : position - 1
        guard pending.indices.contains(other), pending[other].leaves == tree.leaves(of: sibling)
        else { return }
        mergePair(at: left, into: parent)
        position = left
      }
      node = parent
    }
  }

  private mutating func mergePair(at left: Int, into parent: TreeNode) {
    let right = pending.remove(at: left + 1)
    pending[left].value.merge(right.value)
    pending[left].node = parent
    pending[left].leaves = tree.leaves(of: parent)
  }

  /// The first held value whose leaves end after `leaf`, by bisection; `pending.count` if none.
  private func firstPosition(endingAfter leaf: Int) -> Int {
    var low = 0
    var high = pending.count
    while low < high {
      let middle = (low + high) / 2
      if pending[middle].leaves.upperBound > leaf {
        high = middle
      } else {
        low = middle + 1
      }
    }
    return low
  }
}
