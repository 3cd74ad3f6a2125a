internal import CKernels
internal import FlapCore

/// Some rows and columns of a weight, as if there were no others.
struct KeptPart: Sendable {
  /// Elements from row to row of the whole weight.
  let stride: Int
  /// Positions of the kept rows.
  let rows: [Int]
  /// The kept columns, as runs.
  let columns: [Range<Int>]
}

extension WeightMatrix {
  /// What stays of a weight when output or input channels go: it is packed into the same tiles as
  /// a matrix that has nothing else. Only for packing.
  ///
  /// - Parameters:
  ///   - rows: one flag per output channel; nil: all stay.
  ///   - columns: one flag per input channel; nil: all stay.
  /// - Precondition: the matrix is whole, and there are as many flags as channels.
  public func keeping(rows: [Bool]?, columns: [Bool]?) -> WeightMatrix {
    precondition(part == nil, "parts are taken of whole matrices")
    precondition(rows?.count ?? self.rows == self.rows, "one flag per row")
    precondition(columns?.count ?? self.columns == self.columns, "one flag per column")
    let keptRows = rows.map { flags in flags.indices.filter { flags[$0] } } ?? Array(0..<self.rows)
    let keptColumns = columns.map(runs) ?? [0..<self.columns]
    var kept = self
    kept.part = KeptPart(stride: self.columns, rows: keptRows, columns: keptColumns)
    kept.rows = keptRows.count
    kept.columns = keptColumns.reduce(0) { $0 + $1.count }
    return kept
  }

  /// Writes rows of a part beside one another: [range, columns], in the weight's own type.
  func gather(_ range: Range<Int>, of part: KeptPart, to bytes: UnsafeMutableRawPointer) {
    let size = elementType.byteCount
    var next = bytes
    for row in part.rows[range] {
      let start = self.bytes + row * part.stride * size
      for run in part.columns {
        next.copyMemory(from: start + run.lowerBound * size, byteCount: run.count * size)
        next += run.count * size
      }
    }
  }
}

/// The positions of flags that are true, as runs.
private func runs(_ flags: [Bool]) -> [Range<Int>] {
  var runs: [Range<Int>] = []
  var start: Int?
  for (index, flag) in (flags + [false]).enumerated() {
    if flag {
      start = start ?? index
    } else if let first = start {
      runs.append(first..<index)
      start = nil
    }
  }
  return runs
}
