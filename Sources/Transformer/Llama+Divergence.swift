internal import FlapCore
internal import Glibc
public import Kernels

/// The summed Kullback-Leibler divergence of predictions from the dense model's, over all tokens.
public struct LeafDivergence: Hashable, Sendable {
  /// Σ KL(p ‖ q), p being the dense model's distribution of the next token, natural logarithm.
  public var sum: Double
  public var tokenCount: Int
}

/// How far the model as it runs is from the dense one.
extension Llama {
  /// Tokens of the vocabulary that are compared at once: their logits of a leaf are kept.
  private static let comparedTokens = 8 * MatrixProduct.tileOutputs

  private var comparedSectionSize: Int { min(sectionSize, Llama.comparedTokens) }

  /// Calls of `onStep` for every leaf in ``divergences(of:from:first:_:onStep:)``.
  public var divergenceStepCount: Int {
    (shape.vocabularySize + comparedSectionSize - 1) / comparedSectionSize
  }

  /// Memory for the dense model's logits of one section.
  public func makeDivergenceScratch() throws(OutOfMemory) -> ScratchBuffer {
    try ScratchBuffer(byteCount: Llama.divergenceByteCount(limits))
  }

  public static func divergenceByteCount(_ limits: MicroBatchLimits) -> Int {
    ScratchBuffer.roundedByteCount(RowLayout(limits).rowCount * comparedTokens * 4)
  }

  /// The divergence of every leaf, from the residual stream that the layers have left in the scratch.
  ///
  /// Over the whole vocabulary, section by section: Σ p·(y − x) needs no normalized p before its end,
  /// y and x being the logits of both models.
  ///
  /// - Parameters:
  ///   - microBatch: the one that went through the layers last.
  ///   - dense: the dense model's streams behind the last layer.
  ///   - first: number of the first leaf in these.
  public func divergences(
    of microBatch: [Leaf], from dense: ResidualStreams, first: Int, _ logits: ScratchBuffer,
    onStep: () throws -> Void
  ) throws -> [LeafDivergence] {
    precondition(dense.step == stepCount, "streams behind the last layer")
    var rows = microBatch.map { RowDivergences($0) }
    try forSections(ofAtMost: comparedSectionSize) { section in
      for (index, leaf) in microBatch.enumerated() {
        let layout = RowLayout(leaf)
        let kept = logits.floats()
        let stride = comparedSectionSize
        project(
          dense.bytes(ofLeaf: first + index).assumingMemoryBound(to: Float.self).baseAddress!,
          layout, section
        ) { tile in
          for row in 0..<tile.rows.count {
            (kept + (tile.rows.lowerBound + row) * stride + tile.outputs.lowerBound).update(
              from: tile.values() + row * tile.stride, count: tile.outputs.count)
          }
        }
        rows[index].add(strips: section.strips.count) { take in
          project(scratch.residuals[index].floats(), layout, section) { tile in
            take(tile, kept + tile.rows.lowerBound * stride + tile.outputs.lowerBound, stride)
          }
        }
        try onStep()
      }
    }
    return rows.map(\.divergence)
  }
}

/// What a row's divergence is made of, gathered by sections.
private struct RowDivergences {
  private let layout: RowLayout
  private var dense: Sums
  private var own: Sums
  /// Σ exp(y − maximum)·(y − x).
  private var gaps: [Double]

  /// Maximum and Σ exp(logit − maximum) of every row.
  private struct Sums {
    var maxima: [Float]
    var sums: [Double]

    init(_ count: Int) {
      maxima = Array(repeating: -.infinity, count: count)
      sums = Array(repeating: 0, count: count)
    }

    /// - Returns: the factors by which both sides' sums count from now on.
    mutating func merge(_ part: Sums, _ index: Int, into row: Int) -> (Double, Double) {
      let top = max(maxima[row], part.maxima[index])
      let factors = (
        exp(Double(maxima[row] - top)), exp(Double(part.maxima[index] - top))
      )
      sums[row] = sums[row] * factors.0 + part.sums[index] * factors.1
      maxima[row] = top
      return factors
    }

    func logSum(_ row: Int) -> Double { log(sums[row]) + Double(maxima[row]) }
  }

  init(_ leaf: Leaf) {
    layout = RowLayout(leaf)
    dense = Sums(layout.rowCount)
    own = Sums(layout.rowCount)
    gaps = Array(repeating: 0, count: layout.rowCount)
  }

  /// Takes a section; strips are merged in their order.
  mutating func add(
    strips: Int,
    _ run: (
      _ take: (MatrixProduct.OutputTile, _ dense: UnsafePointer<Float>, _ stride: Int) -> Void
    ) -> Void
  ) {
    let rows = layout.rowCount
    var (denseParts, ownParts) = (Sums(strips * rows), Sums(strips * rows))
    var gapParts = Array(repeating: 0.0, count: strips * rows)
    denseParts.maxima.withUnsafeMutableBufferPointer { denseMaxima in
      denseParts.sums.withUnsafeMutableBufferPointer { denseSums in
        ownParts.maxima.withUnsafeMutableBufferPointer { ownMaxima in
          ownParts.sums.withUnsafeMutableBufferPointer { ownSums in
            gapParts.withUnsafeMutableBufferPointer { gaps in
              nonisolated(unsafe) let pointers = (
                denseMaxima.baseAddress!, denseSums.baseAddress!, ownMaxima.baseAddress!,
                ownSums.baseAddress!, gaps.baseAddress!
              )
              run { tile, y, yStride in
                let first = tile.strip * rows + tile.rows.lowerBound
                Elementwise.addGaps(
                  from: y, fromStride: yStride, to: tile.values(), stride: tile.stride,
                  rows: tile.rows.count, columns: tile.outputs.count, maxima: pointers.0 + first,
                  sums: pointers.1 + first, gaps: pointers.4 + first)
                Elementwise.addExponentials(
                  block: tile.values(), stride: tile.stride, rows: tile.rows.count,
                  columns: tile.outputs.count, maxima: pointers.2 + first,
                  sums: pointers.3 + first)
              }
            }
          }
        }
      }
    }
    for strip in 0..<strips {
      for row in 0..<rows {
        let index = strip * rows + row
        let (before, now) = dense.merge(denseParts, index, into: row)
        gaps[row] = gaps[row] * before + gapParts[index] * now
        _ = own.merge(ownParts, index, into: row)
      }
    }
  }

  var divergence: LeafDivergence {
    var result = LeafDivergence(sum: 0, tokenCount: 0)
    layout.forPieces(in: 0..<layout.rowCount) { piece in
      for offset in piece.tokens.indices {
        let row = piece.row + offset - piece.tokens.lowerBound
        result.sum += gaps[row] / dense.sums[row] - dense.logSum(row) + own.logSum(row)
        result.tokenCount += 1
      }
    }
    return result
  }
}
