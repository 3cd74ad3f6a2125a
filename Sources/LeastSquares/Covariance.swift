internal import Kernels

/// What a fit knows of a map's input x [channels] over some tokens: mean μ and C = E xxᵀ − μμᵀ.
///
/// C is read, not held, so that it can stay in whatever form it was summed up in.
public struct Covariance {
  /// Writes C[row, columns] in f64; columns end at the row's diagonal element or before. Called
  /// from several threads at once, and for the same elements more than once.
  public typealias Reader = (
    _ row: Int, _ columns: Range<Int>, _ to: UnsafeMutablePointer<Double>
  ) -> Void

  /// What the map should give, where that is not W·x of the same tokens.
  public struct Target {
    /// C_yx = E yxᵀ − μ_y·μᵀ, [outputs, channels].
    public let cross: Matrix
    /// μ_y and the variance of y, [outputs]; y without the map's own bias.
    public let mean: [Double]
    /// NaN where nobody asks for errors.
    public let variance: [Double]

    /// - Parameter variance: nil: nobody asks for errors.
    public init(cross: Matrix, mean: [Double], variance: [Double]? = nil) {
      let variance = variance ?? Array(repeating: .nan, count: mean.count)
      precondition(cross.rows == mean.count && cross.rows == variance.count, "One per output.")
      self.cross = cross
      self.mean = mean
      self.variance = variance
    }

    /// Some of the outputs.
    fileprivate func selecting(outputs: [Int]) -> Target {
      let part = Matrix(rows: outputs.count, columns: cross.columns)
      for (row, output) in outputs.enumerated() {
        part.row(row).update(from: cross.row(output), count: cross.columns)
      }
      return Target(
        cross: part, mean: outputs.map { mean[$0] }, variance: outputs.map { variance[$0] })
    }
  }

  public let tokenCount: Int
  /// μ, [channels].
  public let mean: [Double]
  /// The diagonal of C, [channels].
  public let variance: [Double]
  /// nil: the map's own output, y = W·x.
  public var target: Target?
  private let read: Reader

  public init(
    tokenCount: Int, mean: [Double], target: Target? = nil, read: @escaping Reader
  ) {
    precondition(target.map { $0.cross.columns == mean.count } ?? true, "One column per channel.")
    self.tokenCount = tokenCount
    self.mean = mean
    self.target = target
    self.read = read
    variance = mean.indices.map { channel in
      var value = 0.0
      read(channel, channel..<channel + 1, &value)
      return value
    }
  }

  /// - Parameter matrix: C [channels, channels], of which the lower triangle is read.
  public init(tokenCount: Int, mean: [Double], matrix: Matrix, target: Target? = nil) {
    precondition(matrix.rows == mean.count && matrix.columns == mean.count, "One mean per channel.")
    self.init(tokenCount: tokenCount, mean: mean, target: target) { row, columns, to in
      to.update(from: matrix.row(row) + columns.lowerBound, count: columns.count)
    }
  }

  public var channelCount: Int { mean.count }

  /// Whether a channel varies by less than what its second moments resolve, 2⁻²⁴ of its mean
  /// square: a bias stands for it, and it says nothing about others.
  public func isConstant(_ channel: Int) -> Bool {
    variance[channel] <= 0x1p-24 * (variance[channel] + mean[channel] * mean[channel])
  }

  func validate() throws(LeastSquaresError) {
    guard tokenCount > 0 else { throw .noTokens }
    for channel in mean.indices where !(mean[channel].isFinite && variance[channel].isFinite) {
      throw .notFinite(channel: channel)
    }
  }

  func selecting(outputs: [Int]) -> Covariance {
    var part = self
    part.target = target?.selecting(outputs: outputs)
    return part
  }
}

/// Reading parts of C.
extension Covariance {
  /// C of some channels, in the lower triangle of a matrix, and a ridge: C + λ·diag(C). A constant
  /// channel has a unit row and column.
  ///
  /// - Parameter channels: ascending.
  func gatherLower(_ channels: [Int], ridge: Double, on algebra: AlgebraTeam) -> Matrix {
    let matrix = Matrix(rows: channels.count, columns: channels.count)
    let areConstant = channels.map { isConstant($0) }
    algebra.ranges(of: channels.count, by: 32) { range, _ in
      withRow { row in
        for position in range {
          readRow(channels[position], channels[...position], through: row) { index, value in
            matrix.row(position)[index] = areConstant[index] ? 0 : value
          }
          let diagonal = matrix.row(position) + position
          if areConstant[position] {
            matrix.row(position).update(repeating: 0, count: position)
            diagonal.pointee = 1
          } else {
            diagonal.pointee *= 1 + ridge
          }
        }
      }
    }
    return matrix
  }

  /// C of some channels by some others.
  ///
  /// - Parameters:
  ///   - rows: ascending, as are the columns.
  ///   - to: [rows.count, columns.count], row-major.
  func gather(
    _ rows: ArraySlice<Int>, _ columns: ArraySlice<Int>, to block: DoubleBlock,
    on algebra: AlgebraTeam
  ) {
    // The lower triangle's rows that are rows of the block, then those that are columns of it.
    algebra.ranges(of: rows.count, by: 32) { range, _ in
      withRow { buffer in
        for position in range {
          let channel = rows[rows.startIndex + position]
          let part = columns.prefix(columns.count { $0 <= channel })
          let to = block.values + position * block.rowStride
          readRow(channel, part, through: buffer) { index, value in to[index] = value }
        }
      }
    }
    algebra.ranges(of: columns.count, by: 8) { range, _ in
      withRow { buffer in
        for position in range {
          let channel = columns[columns.startIndex + position]
          let part = rows.prefix(rows.count { $0 < channel })
          let to = block.values + position
          readRow(channel, part, through: buffer) { index, value in
            to[index * block.rowStride] = value
          }
        }
      }
    }
  }

  private func withRow(_ body: (UnsafeMutablePointer<Double>) -> Void) {
    withUnsafeTemporaryAllocation(of: Double.self, capacity: channelCount) {
      body($0.baseAddress!)
    }
  }

  /// Some columns of a row; `put` gets each by its position among them.
  private func readRow(
    _ row: Int, _ columns: ArraySlice<Int>, through buffer: UnsafeMutablePointer<Double>,
    _ put: (_ index: Int, _ value: Double) -> Void
  ) {
    guard let first = columns.first, let last = columns.last else { return }
    read(row, first..<last + 1, buffer)
    for (index, column) in columns.enumerated() { put(index, buffer[column - first]) }
  }
}
