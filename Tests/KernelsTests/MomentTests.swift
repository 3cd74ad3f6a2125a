import Kernels
import Statistics
import Testing

/// Moments of blocks and their merge.
struct MomentTests {
  @Test(
    "blocks of rows, merged in order, give the moments of the column", arguments: [1, 75, 256],
    [1, 16, 128])
  func merged(channels: Int, blockRows: Int) {
    let (rows, stride) = (300, channels + 3)
    // A mean far from zero: one pass over squares would lose the variance.
    let x = numbers(rows * stride, seed: 22).map { $0 + 1000 }
    var total = ChannelMoments(channelCount: channels)
    for first in Swift.stride(from: 0, to: rows, by: blockRows) {
      total.merge(ChannelMoments(x, first..<min(first + blockRows, rows), channels, stride))
    }
    #expect(total.count == rows)
    for channel in 0..<channels {
      let column = (0..<rows).map { Double(x[$0 * stride + channel]) }
      let mean = column.reduce(0, +) / Double(rows)
      let m2 = column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      // f64 in another order; the blocks' means round by 2⁻⁵³ of 1000.
      #expect(abs(total.mean[channel] - mean) < 1e-10)
      #expect(abs(total.m2[channel] - m2) <= 1e-9 * m2)
    }
  }

  @Test(
    "not finite exactly where a value of the column is not",
    arguments: [Float.nan, .infinity, -.infinity], [0, 63, 64, 71, 72, 74])
  func notFinite(value: Float, channel: Int) {
    var x = numbers(30 * 75, seed: 26)
    x[17 * 75 + channel] = value
    var moments = ChannelMoments(x, 0..<30, 75, 75)
    moments.merge(ChannelMoments(numbers(75, seed: 27), 0..<1, 75, 75))
    for other in 0..<75 { #expect(moments.m2[other].isFinite == (other != channel)) }
  }

  @Test("the largest floats do not overflow")
  func largest() {
    let x: [Float] = [.greatestFiniteMagnitude, -.greatestFiniteMagnitude]
    #expect(ChannelMoments(x, 0..<2, 1, 1).m2[0].isFinite)
  }
}

extension ChannelMoments {
  fileprivate init(_ x: [Float], _ rows: Range<Int>, _ channels: Int, _ stride: Int) {
    var mean = [Double](repeating: 0, count: channels)
    var m2 = mean
    x.withUnsafeBufferPointer {
      ColumnMoments.measure(
        block: $0.baseAddress! + rows.lowerBound * stride, stride: stride, rows: rows.count,
        channels: channels, mean: &mean, m2: &m2)
    }
    self.init(count: rows.count, mean: mean, m2: m2)
  }
}
