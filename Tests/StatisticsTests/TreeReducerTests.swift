import Statistics
import Testing

/// A value that writes down how it was formed: "(0+1)".
private struct Formula: Mergeable, Equatable {
  var text: String
  mutating func merge(_ right: Formula) { text = "(\(text)+\(right.text))" }
}

@Suite struct TreeReducerTests {
  @Test(arguments: [
    (1, "0"), (2, "(0+1)"), (3, "((0+1)+2)"), (4, "((0+1)+(2+3))"), (5, "(((0+1)+(2+3))+4)"),
    (6, "(((0+1)+(2+3))+(4+5))"), (7, "(((0+1)+(2+3))+((4+5)+6))"),
  ])
  func sumsAreFormedAlongTheTree(leafCount: Int, expected: String) {
    // Every order of arrival.
    for order in permutations(of: Array(0..<leafCount)) {
      var reducer = TreeReducer<Formula>(tree: CanonicalTree(leafCount: leafCount))
      for leaf in order {
        #expect(reducer.result == nil && !reducer.isComplete)
        #expect(reducer.accept(Formula(text: "\(leaf)"), of: .leaf(leaf)) == .accepted)
      }
      #expect(reducer.result == Formula(text: expected))
      #expect(reducer.missingNodes.isEmpty)
    }
  }

  /// The recursive definition that every order of arrival has to equal, bit for bit.
  private func sequential(_ leaves: [ChannelMoments], tree: CanonicalTree, node: TreeNode)
    -> ChannelMoments
  {
    let children = tree.children(of: node)
    guard let left = children.first else { return leaves[node.index] }
    let value = sequential(leaves, tree: tree, node: left)
    guard children.count == 2 else { return value }
    return .merge(value, sequential(leaves, tree: tree, node: children[1]))
  }

  @Test(arguments: Array(1...70) + [1000, 1024, 2047])
  func bitsDoNotDependOnArrivalOrReportedLevels(leafCount: Int) {
    let tree = CanonicalTree(leafCount: leafCount)
    var generator = SeededGenerator(seed: leafCount)
    let leaves = randomLeaves(leafCount, channelCount: 3, using: &generator)
    let expected = sequential(leaves, tree: tree, node: tree.root)
    for _ in 0..<(leafCount <= 70 ? 8 : 2) {
      var reducer = TreeReducer<ChannelMoments>(tree: tree)
      for node in randomPartition(of: tree, using: &generator).shuffled(using: &generator) {
        // As a worker does: its own reducer up to the node it was given.
        var worker = TreeReducer<ChannelMoments>(tree: tree, target: node)
        for leaf in tree.leaves(of: node).shuffled(using: &generator) {
          #expect(worker.accept(leaves[leaf], of: .leaf(leaf)) == .accepted)
        }
        if let value = worker.result {
          #expect(reducer.accept(value, of: node) == .accepted)
        }
      }
      #expect(reducer.result?.bits == expected.bits)
    }
  }

  /// Without the tree, how the samples were split changes bits: the property above is not idle.
  @Test func mergingInTurnHasOtherBits() {
    var generator = SeededGenerator(seed: 7)
    let leaves = randomLeaves(64, channelCount: 3, using: &generator)
    let tree = CanonicalTree(leafCount: 64)
    let inTurn = leaves.dropFirst().reduce(leaves[0]) { ChannelMoments.merge($0, $1) }
    #expect(inTurn.bits != sequential(leaves, tree: tree, node: tree.root).bits)
  }

  @Test(arguments: [1, 2, 63, 64, 65, 1000, 4096])
  func inOrderOneValuePerLevelIsHeld(leafCount: Int) {
    let tree = CanonicalTree(leafCount: leafCount)
    var reducer = TreeReducer<LossSum>(tree: tree)
    var most = 0
    for leaf in 0..<leafCount {
      _ = reducer.accept(LossSum(negativeLogLikelihood: 1, tokenCount: 1), of: .leaf(leaf))
      most = max(most, reducer.pending.count)
    }
    #expect(reducer.result?.tokenCount == leafCount)
    #expect(most <= tree.rootLevel + 1)
  }

  @Test func countedLeavesAreNotCountedAgain() {
    var reducer = TreeReducer<LossSum>(tree: CanonicalTree(leafCount: 7))
    let value = LossSum(negativeLogLikelihood: 1, tokenCount: 1)
    #expect(reducer.accept(value, of: node(1, 1)) == .accepted)
    #expect(reducer.accept(value, of: node(1, 1)) == .duplicate)
    #expect(reducer.accept(value, of: .leaf(2)) == .duplicate)
    #expect(reducer.accept(value, of: node(2, 0)) == .overlap)
    #expect(reducer.accept(value, of: node(3, 0)) == .overlap)
    #expect(reducer.accept(value, of: .leaf(6)) == .accepted)
    // The same node by its other name.
    #expect(reducer.accept(value, of: node(1, 3)) == .duplicate)
    #expect(reducer.accept(value, of: node(2, 1)) == .overlap)
    #expect(reducer.accept(value, of: .leaf(7)) == .unknownNode)
    #expect(reducer.accept(value, of: node(9, 0)) == .unknownNode)
    #expect(reducer.accept(value, of: node(-1, Int.min)) == .unknownNode)
    #expect(reducer.missingNodes == [node(1, 0), node(1, 2)])
    #expect(reducer.accept(value, of: node(1, 0)) == .accepted)
    // Merged into its parent by now, but counted all the same.
    #expect(reducer.accept(value, of: node(1, 1)) == .duplicate)
    #expect(reducer.accept(value, of: node(1, 2)) == .accepted)
    #expect(reducer.result?.tokenCount == 4)
    #expect(reducer.accept(value, of: node(3, 0)) == .duplicate)
  }

  @Test func aWorkersReducerTakesOnlyItsPart() {
    var reducer = TreeReducer<LossSum>(tree: CanonicalTree(leafCount: 6), target: node(1, 1))
    let value = LossSum(negativeLogLikelihood: 1, tokenCount: 1)
    #expect(reducer.accept(value, of: .leaf(1)) == .unknownNode)
    #expect(reducer.accept(value, of: node(2, 0)) == .unknownNode)
    #expect(reducer.missingNodes == [node(1, 1)])
    #expect(reducer.accept(value, of: .leaf(3)) == .accepted)
    #expect(reducer.missingNodes == [.leaf(2)])
    #expect(reducer.accept(value, of: .leaf(2)) == .accepted)
    #expect(reducer.result?.tokenCount == 2)
  }

  /// What is held is all that a journal has to keep to go on after a crash.
  @Test(arguments: 0..<20)
  func pendingValuesRestoreAReducer(seed: Int) {
    var generator = SeededGenerator(seed: seed)
    let tree = CanonicalTree(leafCount: 37)
    let leaves = randomLeaves(37, channelCount: 2, using: &generator)
    let order = Array(0..<37).shuffled(using: &generator)
    var whole = TreeReducer<ChannelMoments>(tree: tree)
    var interrupted = TreeReducer<ChannelMoments>(tree: tree)
    for leaf in order.prefix(20) {
      _ = whole.accept(leaves[leaf], of: .leaf(leaf))
      _ = interrupted.accept(leaves[leaf], of: .leaf(leaf))
    }
    var resumed = TreeReducer<ChannelMoments>(tree: tree)
    for held in interrupted.pending.shuffled(using: &generator) {
      #expect(resumed.accept(held.value, of: held.node) == .accepted)
    }
    #expect(resumed.missingNodes == whole.missingNodes)
    let missing = resumed.missingNodes.flatMap { Array(tree.leaves(of: $0)) }
    #expect(missing == order.suffix(17).sorted())
    for leaf in missing.shuffled(using: &generator) {
      #expect(resumed.accept(leaves[leaf], of: .leaf(leaf)) == .accepted)
    }
    #expect(resumed.result?.bits == sequential(leaves, tree: tree, node: tree.root).bits)
  }

  private func node(_ level: Int, _ index: Int) -> TreeNode { TreeNode(level: level, index: index) }

  /// Nodes of random levels that together have every leaf once.
  private func randomPartition(of tree: CanonicalTree, using generator: inout SeededGenerator)
    -> [TreeNode]
  {
    var parts: [TreeNode] = []
    var open = [tree.root]
    while let node = open.popLast() {
      if node.level == 0 || Int.random(in: 0..<4, using: &generator) == 0 {
        parts.append(node)
      } else {
        open += tree.children(of: node)
      }
    }
    return parts
  }

  private func permutations(of items: [Int]) -> [[Int]] {
    guard !items.isEmpty else { return [[]] }
    return items.indices.flatMap { index -> [[Int]] in
      var rest = items
      let item = rest.remove(at: index)
      return permutations(of: rest).map { [item] + $0 }
    }
  }
}
