/// Merges values of the nodes of a ``CanonicalTree`` up to one node, the target.
///
/// The bits of the result depend on the leaves' values alone, whatever the order and the levels
/// in which nodes arrive, provided that whoever reports a node above the leaves has merged it
/// along the same tree (with a reducer of its own, whose target is that node).
public struct TreeReducer<Value: Mergeable>: Sendable {
  /// What became of a value.
  public enum Acceptance: Hashable, Sendable {
    case accepted
    /// It was dropped or refused, for a reason that ``TreeFrontier/Refusal`` documents.
    case duplicate, overlap, unknownNode
  }

  private var frontier: TreeFrontier
  private var values: [TreeNode: Value] = [:]

  /// - Parameter target: the root unless given.
  /// - Precondition: `tree` has the target.
  public init(tree: CanonicalTree, target: TreeNode? = nil) {
    frontier = TreeFrontier(tree: tree, target: target)
  }

  /// The values held, from the left. Accepted into a new reducer they restore this one.
  public var pending: [(node: TreeNode, value: Value)] {
    frontier.nodes.compactMap { node in values[node].map { (node, $0) } }
  }

  /// The target's value once every leaf is counted.
  public var result: Value? { isComplete ? values.values.first : nil }

  public var isComplete: Bool { frontier.isComplete }

  /// The fewest nodes that together have every leaf not counted yet, from the left.
  public var missingNodes: [TreeNode] { frontier.missingNodes }

  /// Counts the value of a node, or says why not. A value is only ever counted once.
  public mutating func accept(_ value: consuming Value, of node: TreeNode) -> Acceptance {
    switch frontier.refusal(of: node) {
    case .duplicate: return .duplicate
    case .overlap: return .overlap
    case .unknownNode: return .unknownNode
    case nil: break
    }
    let climb = frontier.counting(node)
    values[climb.end] = climb.fold(value) { sibling in
      guard let value = values.removeValue(forKey: sibling) else {
        preconditionFailure("every node of the frontier has a value")
      }
      return value
    } merge: { left, right, _ in
      .merge(left, right)
    }
    frontier = climb.frontier
    return .accepted
  }
}
