internal import FlapCore
internal import Kernels
internal import Statistics
internal import Transformer

extension Llama {
  /// The merged moments of a block at both taps of every layer, as a worker computes them.
  ///
  /// - Parameter onTap: called once per leaf and tap.
  func calibrate(_ block: [Leaf], onTap: () -> Void) throws -> [ChannelMoments] {
    let taps = Tap.allCases
    let reducer = TreeReducer<ChannelMoments>(tree: CanonicalTree(leafCount: block.count))
    var reducers = Array(repeating: reducer, count: shape.layers.count * taps.count)
    try forward(block: block) { input in
      let columns = input.moments
      let moments = ChannelMoments(count: columns.count, mean: columns.mean, m2: columns.m2)
      let index = input.layer * taps.count + taps.firstIndex(of: input.tap)!
      let acceptance = reducers[index].accept(moments, of: .leaf(input.leafIndex))
      precondition(acceptance == .accepted, "the forward pass visits every leaf once")
      onTap()
    }
    return reducers.map { $0.result! }
  }
}
