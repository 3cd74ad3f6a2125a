internal import Kernels

/// The weight W [outputs, channels] of one linear map, read row by row from wherever it lies: from
/// several threads at once, and rows more than once.
public struct WeightRows {
  public let outputCount: Int
  public let channelCount: Int
  private let read: (_ row: Int, _ to: UnsafeMutablePointer<Float>) -> Void

  /// - Parameter read: writes the channels of one row.
  public init(
    outputCount: Int, channelCount: Int,
    read: @escaping (_ row: Int, _ to: UnsafeMutablePointer<Float>) -> Void
  ) {
    self.outputCount = outputCount
    self.channelCount = channelCount
    self.read = read
  }

  /// - Parameter values: [outputs, channels], row-major; they outlive what is made here.
  public init(_ values: UnsafeBufferPointer<Float>, channelCount: Int) {
    precondition(channelCount > 0 && values.count % channelCount == 0, "The weight has whole rows.")
    self.init(outputCount: values.count / channelCount, channelCount: channelCount) { row, to in
      to.update(from: values.baseAddress! + row * channelCount, count: channelCount)
    }
  }

  /// Some of the rows, in their order.
  func selecting(outputs: [Int]) -> WeightRows {
    WeightRows(outputCount: outputs.count, channelCount: channelCount) { row, to in
      read(outputs[row], to)
    }
  }

  /// Some of the columns, in their order.
  public func selecting(channels: [Int]) -> WeightRows {
    WeightRows(outputCount: outputCount, channelCount: channels.count) { row, to in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: channelCount) { values in
        read(row, values.baseAddress!)
        for (index, channel) in channels.enumerated() { to[index] = values[channel] }
      }
    }
  }

  /// Calls `body` with one row.
  func readRow(_ row: Int, _ body: (_ values: UnsafePointer<Float>) -> Void) {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: channelCount) { buffer in
      read(row, buffer.baseAddress!)
      body(UnsafePointer(buffer.baseAddress!))
    }
  }

  /// Calls `body` with every row of a range, on all threads.
  func forEachRow(
    _ rows: Range<Int>, on algebra: AlgebraTeam,
    _ body: (_ row: Int, _ values: UnsafePointer<Float>) -> Void
  ) {
    algebra.ranges(of: rows.count, by: 32) { range, _ in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: channelCount) { buffer in
        for index in range {
          let row = rows.lowerBound + index
          read(row, buffer.baseAddress!)
          body(row, UnsafePointer(buffer.baseAddress!))
        }
      }
    }
  }

  /// Some channels of all rows, f64 [outputs, channels.count], in the order given.
  func gather(_ channels: [Int], on algebra: AlgebraTeam) -> Matrix {
    let matrix = Matrix(rows: outputCount, columns: channels.count)
    forEachRow(0..<outputCount, on: algebra) { row, values in
      let to = matrix.row(row)
      for (column, channel) in channels.enumerated() { to[column] = Double(values[channel]) }
    }
    return matrix
  }
}
