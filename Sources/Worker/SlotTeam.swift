internal import Coordination
internal import Kernels
internal import Statistics
internal import Synchronization

/// The slots of a worker: each computes a part of a block, all at the same time, so that a host
/// sends one report for all of them.
///
/// A part is a node of the canonical tree below the block's: how many slots there are does not
/// change a bit.
struct SlotTeam {
  let slotCount: Int
  private let team: ThreadTeam

  init(slotCount: Int) {
    self.slotCount = slotCount
    team = ThreadTeam(threadCount: slotCount)
  }

  /// Levels between a block and its parts.
  private var depth: Int { Int.bitWidth - (slotCount - 1).leadingZeroBitCount }

  /// Leaves of the largest part of a block of so many leaves.
  func largestPart(ofLeaves leafCount: Int) -> Int {
    let level = Int.bitWidth - (leafCount - 1).leadingZeroBitCount
    return min(leafCount, 1 << max(0, level - depth))
  }

  /// Computes the value of a block from those of its parts.
  ///
  /// - Parameter body: called from several threads at once, with a part and a slot that no other
  ///   call has at the moment.
  func reduce<Value: Mergeable & Sendable>(
    _ block: TokenBlock, _ body: (_ part: TokenBlock, _ slot: Int) throws -> Value
  ) throws -> Value {
    let parts = block.parts(depth: slotCount == 1 ? 0 : depth)
    guard parts.count > 1 else { return try body(block, 0) }
    let state = Mutex((reducer: block.makeReducer(of: Value.self), failure: (any Error)?.none))
    team.run(.other, taskCount: parts.count) { index, slot in
      guard state.withLock({ $0.failure == nil }) else { return }
      do {
        let value = try body(parts[index], slot)
        state.withLock { state in
          let acceptance = state.reducer.accept(value, of: parts[index].node)
          precondition(acceptance == .accepted, "the parts of a block have each leaf once")
        }
      } catch {
        state.withLock { $0.failure = $0.failure ?? error }
      }
    }
    let (reducer, failure) = state.withLock { $0 }
    if let failure { throw failure }
    return reducer.result!
  }
}

extension TokenBlock {
  /// The nodes so many levels below, or the leaves, with their samples.
  func parts(depth: Int) -> [TokenBlock] {
    guard depth > 0, node.level > 0 else { return [self] }
    let tree = CanonicalTree(leafCount: firstLeaf + samplesPerLeaf.count)
    let nodes = tree.nodes(in: node, upToLevel: max(0, node.level - depth))
    guard nodes.count > 1 else { return [self] }
    var nextToken = 0
    return nodes.map { node in
      let leaves = tree.leaves(of: node)
      let samples = Array(
        samplesPerLeaf[leaves.lowerBound - firstLeaf..<leaves.upperBound - firstLeaf])
      let tokenCount = samples.reduce(0, +) * tokensPerSample
      defer { nextToken += tokenCount }
      return TokenBlock(
        node: node, samplesPerLeaf: samples, tokensPerSample: tokensPerSample,
        tokens: Array(tokens[nextToken..<nextToken + tokenCount]))
    }
  }
}
