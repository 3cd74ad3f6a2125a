extension CanonicalTree {
  /// The fewest nodes that together have exactly these leaves, from the left.
  ///
  /// Of the names of one node (a right-edge node and its only child) the lowest is given.
  ///
  /// - Precondition: `leaves` lie in 0 ..< `leafCount`.
  public func nodes(covering leaves: Range<Int>) -> [TreeNode] {
    precondition(
      leaves.lowerBound >= 0 && leaves.upperBound <= leafCount, "The tree has no such leaves.")
    var nodes: [TreeNode] = []
    var next = leaves.lowerBound
    while next < leaves.upperBound {
      let node = largestNode(from: next, before: leaves.upperBound)
      nodes.append(node)
      next = self.leaves(of: node).upperBound
    }
    return nodes
  }

  /// The nodes of one level below `node`, or `node` itself where it is not above that level.
  ///
  /// - Precondition: the tree has the node.
  public func nodes(in node: TreeNode, upToLevel level: Int) -> [TreeNode] {
    guard node.level > level else { return [node] }
    return children(of: node).flatMap { nodes(in: $0, upToLevel: level) }
  }

  /// The lowest name of a node: a right-edge node with one child is that child.
  package func lowestName(of node: TreeNode) -> TreeNode {
    var node = node
    while true {
      let children = children(of: node)
      guard children.count == 1 else { return node }
      node = children[0]
    }
  }

  /// The node with the most leaves that begins at leaf `first` and ends by leaf `end`.
  private func largestNode(from first: Int, before end: Int) -> TreeNode {
    var largest = TreeNode.leaf(first)
    while let parent = parent(of: largest) {
      let leaves = leaves(of: parent)
      guard leaves.lowerBound == first, leaves.upperBound <= end else { break }
      largest = parent
    }
    return lowestName(of: largest)
  }
}
