import FlapCore
import Statistics
import Testing

/// Sums from which maps are fitted, as they lie in their bytes and are added up piece by piece.
struct IntegerLayoutTests {
  /// Two channels make a triangle of 12 bytes: what follows lies at no multiple of 8.
  @Test(arguments: [1, 2, 3, 5], [1, 4])
  func layoutsAreAsDocumented(channels: Int, outputs: Int) {
    let triangle = 4 * channels * (channels + 1) / 2
    #expect(
      SecondMoments.layout(MapChannels(channelCount: channels)).byteCount == 8 + 8 * channels
        + triangle)
    #expect(
      TargetMoments.layout(channelCount: channels, outputCount: outputs).byteCount
        == 8 + 8 * channels + triangle + 8 * outputs * (1 + channels))
  }

  @Test("experts have their tokens before the sums, and pairs among themselves alone")
  func experts() {
    let channels = MapChannels(channelCount: 12, mapCount: 4)
    // All tokens, four experts', twelve sums; of three channels six pairs each.
    #expect(SecondMoments.byteCount(channels) == 8 * (1 + 4 + 12) + 4 * 4 * 6)
    let sums = (1...12).map { Int64($0) }
    let bytes =
      ([9, 1, 2, 3, 4] + sums).flatMap { withUnsafeBytes(of: $0.littleEndian) { Array($0) } }
      + (0..<24).flatMap { withUnsafeBytes(of: Int32($0).littleEndian) { Array($0) } }
    let moments = SecondMoments(bytes: bytes, channels)
    #expect(moments.count == 9)
    #expect(moments.withSums { Array($0) } == sums)
    #expect(moments.withProducts { Array($0) } == (0..<24).map { Int32($0) })
  }

  @Test(arguments: [8, 16, 40, 1 << 20])
  func piecesCoverAllAndCutNoInteger(limit: Int) {
    let (channels, outputs) = (6, 3)
    let layout = TargetMoments.layout(channelCount: channels, outputCount: outputs)
    let pieces = layout.pieces(ofAtMost: limit)
    #expect(pieces.flatMap { Array($0) } == Array(0..<layout.byteCount))
    let triangle = 8 + 8 * channels
    let targets = triangle + 4 * SecondMoments.productCount(channels)
    for piece in pieces {
      #expect(piece.count <= limit)
      let (start, width) =
        piece.lowerBound < triangle
        ? (0, 8) : piece.lowerBound < targets ? (triangle, 4) : (targets, 8)
      #expect((piece.lowerBound - start) % width == 0 && piece.count % width == 0)
    }
  }

  /// The numbers of a sum, whatever their widths.
  private func numbers(_ bytes: [UInt8], channels: Int, outputs: Int) -> [Int64] {
    let moments = TargetMoments(bytes: bytes, channelCount: channels, outputCount: outputs)
    let (sums, products) = moments.targets
    return [Int64(moments.inputs.count)] + moments.inputs.withSums { Array($0) }
      + moments.inputs.withProducts { $0.map { Int64($0) } } + sums + products
  }

  @Test(arguments: [1, 2, 3, 6], [8, 24, 1 << 20])
  func anyOrderGivesTheSumsOfTheNumbers(channels: Int, limit: Int) {
    let outputs = 4
    let layout = TargetMoments.layout(channelCount: channels, outputCount: outputs)
    var generator = SeededGenerator(seed: channels)
    func integers<Number: FixedWidthInteger>(_: Number.Type, _ count: Int) -> [UInt8] {
      (0..<count).flatMap { _ in
        let value = Number.random(in: Number.min / 16...Number.max / 16, using: &generator)
        return withUnsafeBytes(of: value.littleEndian) { Array($0) }
      }
    }
    let parts = (0..<7).map { _ in
      integers(Int64.self, 1 + channels)
        + integers(Int32.self, SecondMoments.productCount(channels))
        + integers(Int64.self, outputs * (1 + channels))
    }
    var found: [UInt8]?
    for _ in 0..<3 {
      var sum = [UInt8](repeating: 0, count: layout.byteCount)
      for part in parts.shuffled(using: &generator) {
        for piece in layout.pieces(ofAtMost: limit).shuffled(using: &generator) {
          sum.withUnsafeMutableBytes { sum in
            Array(part[piece]).withUnsafeBytes {
              layout.add($0, at: piece, to: sum.baseAddress!)
            }
          }
        }
      }
      #expect(found == nil || found == sum)
      found = sum
    }
    let all = parts.map { numbers($0, channels: channels, outputs: outputs) }
    let sums = numbers(found!, channels: channels, outputs: outputs)
    for index in sums.indices { #expect(sums[index] == all.reduce(0) { $0 + $1[index] }) }
  }

  @Test func scalesOfAPrunedTapLeaveRoom() {
    let scales = ChannelScales(exponents: [
      PerTap(attentionOutput: [4], mlpDown: [10, -58, -60, 7])
    ])
    let kept = scales.ofPruned(
      TapPlace(layer: 0, .mlpDown), kept: [true, true, true, false])
    #expect(kept == [7, -60, -60])
    #expect(ChannelScales(kept, at: .mlpDown).taps == [[], [7, -60, -60]])
  }
}
