import FlapCore
import Kernels
import Testing

/// Parts of weights, packed as if there were nothing else.
struct WeightPartTests {
  @Test("A part's tiles are those of a matrix of the kept", arguments: ComputeType.allCases)
  func tiles(compute: ComputeType) {
    let (rows, columns) = (53, 70)
    let values = (0..<rows * columns).map { Float(($0 * 37) % 251 - 125) / 64 }
    let keptRows = (0..<rows).map { $0 % 3 != 1 }
    let keptColumns = (0..<columns).map { $0 < 9 || $0 % 5 > 1 }
    for (byRow, byColumn) in [(keptRows, nil), (nil, keptColumns), (keptRows, keptColumns)] {
      let small = values.indices.filter {
        (byRow?[$0 / columns] ?? true) && (byColumn?[$0 % columns] ?? true)
      }.map { values[$0] }
      let width = byColumn?.count { $0 } ?? columns
      values.withUnsafeBytes { values in
        small.withUnsafeBytes { small in
          let whole = WeightMatrix(
            elementType: .float32, bytes: values.baseAddress!, rows: rows, columns: columns)
          let part = whole.keeping(rows: byRow, columns: byColumn)
          let expected = WeightMatrix(
            elementType: .float32, bytes: small.baseAddress!, rows: small.count / 4 / width,
            columns: width)
          #expect(part.rows == expected.rows && part.columns == expected.columns)
          #expect(packed(part, compute) == packed(expected, compute))
        }
      }
    }
  }

  private func packed(_ matrix: WeightMatrix, _ compute: ComputeType) -> [UInt8] {
    let groups = Tile.count(ofRows: matrix.rows)
    let byteCount = ColumnTiles.byteCount(
      compute, outputs: matrix.rows, channels: matrix.columns)
    let bytes = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
    defer { bytes.deallocate() }
    matrix.packGroups(0..<groups, compute, to: bytes)
    return Array(UnsafeRawBufferPointer(start: bytes, count: byteCount))
  }
}
