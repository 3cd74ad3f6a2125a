internal import Glibc
internal import Kernels

/// log Σ exp of every row's logits, gathered by sections of the vocabulary.
struct RowLogSums {
  private(set) var maxima: [Float]
  private var sums: [Double]

  init(rowCount: Int) {
    maxima = Array(repeating: -.infinity, count: rowCount)
    sums = Array(repeating: 0, count: rowCount)
  }

  /// Takes a section; strips are merged in their order.
  ///
  /// - Parameter visit: is shown every tile, from several threads at once.
  mutating func add(
    strips: Int, _ run: Llama.LogitRun,
    visit: @escaping (MatrixProduct.OutputTile, _ firstToken: Int) -> Void
  ) {
    let rows = maxima.count
    var stripMaxima = [Float](repeating: -.infinity, count: strips * rows)
    var stripSums = [Double](repeating: 0, count: strips * rows)
    stripMaxima.withUnsafeMutableBufferPointer { stripMaxima in
      stripSums.withUnsafeMutableBufferPointer { stripSums in
        let (maxima, sums) = (stripMaxima.baseAddress!, stripSums.baseAddress!)
        run { tile, firstToken in
          let first = tile.strip * rows + tile.rows.lowerBound
          Elementwise.addExponentials(
            block: tile.values(), stride: tile.stride, rows: tile.rows.count,
            columns: tile.outputs.count, maxima: maxima + first, sums: sums + first)
          visit(tile, firstToken)
        }
      }
    }
    for strip in 0..<strips {
      for row in 0..<rows {
        let (maximum, sum) = (stripMaxima[strip * rows + row], stripSums[strip * rows + row])
        let top = max(maxima[row], maximum)
        sums[row] =
          sums[row] * exp(Double(maxima[row] - top)) + sum * exp(Double(maximum - top))
        maxima[row] = top
      }
    }
  }

  /// After the last section.
  func logSum(_ row: Int) -> Double { log(sums[row]) + Double(maxima[row]) }
}

extension MatrixProduct.OutputTile {
  /// The logit of a token in a row of the tile; nil where it is another tile's.
  func logit(of token: Int32, firstToken: Int, row: Int) -> Float? {
    let output = Int(token) - firstToken
    guard outputs.contains(output) else { return nil }
    return values()[(row - rows.lowerBound) * stride + output - outputs.lowerBound]
  }
}
