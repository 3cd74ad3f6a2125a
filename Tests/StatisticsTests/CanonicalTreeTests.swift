import Statistics
import Testing

@Suite struct CanonicalTreeTests {
  /// Five leaves: the fifth is its own parent and grandparent.
  ///
  ///            (3,0)
  ///           /     \
  ///        (2,0)    (2,1)
  ///        /   \      |
  ///     (1,0) (1,1) (1,2)
  ///      / \   / \    |
  ///     0   1 2   3   4
  @Test func fiveLeavesStandAsDrawn() {
    let tree = CanonicalTree(leafCount: 5)
    #expect(tree.root == TreeNode(level: 3, index: 0))
    #expect(tree.children(of: tree.root) == [node(2, 0), node(2, 1)])
    #expect(tree.children(of: node(2, 1)) == [node(1, 2)])
    #expect(tree.children(of: node(1, 2)) == [.leaf(4)])
    #expect(tree.children(of: .leaf(4)) == [])
    #expect(tree.parent(of: node(1, 1)) == node(2, 0))
    #expect(tree.parent(of: tree.root) == nil)
    #expect(tree.sibling(of: node(2, 1)) == node(2, 0))
    #expect(tree.sibling(of: .leaf(4)) == nil)
    #expect(tree.sibling(of: tree.root) == nil)
    #expect(tree.leaves(of: node(2, 1)) == 4..<5)
    #expect(tree.leaves(of: tree.root) == 0..<5)
    #expect(tree.nodes(atLevel: 1) == [node(1, 0), node(1, 1), node(1, 2)])
  }

  @Test func oneLeafIsTheRoot() {
    let tree = CanonicalTree(leafCount: 1)
    #expect(tree.root == .leaf(0))
    #expect(tree.sibling(of: tree.root) == nil)
    #expect(tree.parent(of: tree.root) == nil)
  }

  @Test(arguments: [
    (-1, 0), (0, -1), (0, 5), (1, 3), (2, 2), (3, 1), (4, 0), (Int.max, 0), (0, Int.max),
    (Int.min, Int.min), (63, 0), (64, 0),
  ])
  func nodesOutsideAreKnownWithoutTrapping(level: Int, index: Int) {
    #expect(!CanonicalTree(leafCount: 5).contains(node(level, index)))
  }

  @Test func largestTreeDoesNotOverflow() {
    let tree = CanonicalTree(leafCount: 1 << 61)
    #expect(tree.rootLevel == 61)
    #expect(tree.leaves(of: tree.root) == 0..<1 << 61)
    #expect(tree.leaves(of: .leaf(1 << 61 - 1)).count == 1)
  }

  @Test(arguments: Array(1...70) + [1000, 1023, 1024, 1025, 4097])
  func everyLevelHasEveryLeafOnce(leafCount: Int) {
    let tree = CanonicalTree(leafCount: leafCount)
    #expect(1 << tree.rootLevel >= leafCount)
    #expect(leafCount == 1 || 1 << (tree.rootLevel - 1) < leafCount)
    for level in 0...tree.rootLevel {
      var next = 0
      for node in tree.nodes(atLevel: level) {
        let leaves = tree.leaves(of: node)
        #expect(leaves.lowerBound == next && !leaves.isEmpty)
        next = leaves.upperBound
        let children = tree.children(of: node)
        #expect(children.allSatisfy { tree.parent(of: $0) == node })
        if let first = children.first, let last = children.last {
          #expect(tree.leaves(of: first).lowerBound == leaves.lowerBound)
          #expect(tree.leaves(of: last).upperBound == leaves.upperBound)
        }
        if let sibling = tree.sibling(of: node) {
          #expect(tree.sibling(of: sibling) == node && sibling.isLeftChild != node.isLeftChild)
        }
      }
      #expect(next == leafCount)
    }
  }

  @Test(arguments: [1, 2, 3, 5, 7, 8, 13, 16, 31])
  func coverIsExactAndSmallest(leafCount: Int) {
    let tree = CanonicalTree(leafCount: leafCount)
    for lower in 0...leafCount {
      for upper in lower...leafCount {
        let cover = tree.nodes(covering: lower..<upper)
        #expect(cover.flatMap { tree.leaves(of: $0) } == Array(lower..<upper))
        // Smallest: no two nodes of it are the children of one.
        for (left, right) in zip(cover, cover.dropFirst()) {
          let both = tree.leaves(of: left).lowerBound..<tree.leaves(of: right).upperBound
          let isNode = (0...tree.rootLevel).contains { level in
            tree.nodes(atLevel: level).contains { tree.leaves(of: $0) == both }
          }
          #expect(!isNode)
        }
      }
    }
    #expect(tree.nodes(covering: 0..<leafCount).count == 1)
  }

  private func node(_ level: Int, _ index: Int) -> TreeNode { TreeNode(level: level, index: index) }
}
