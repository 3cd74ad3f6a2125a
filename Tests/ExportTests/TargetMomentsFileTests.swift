import Export
import FlapCore
import FlapTestKit
import Statistics
import Storage
import SystemPackage
import Testing

/// The sums that a map is fitted to, on disk.
struct TargetMomentsFileTests {
  let folder: TemporaryFolder
  let plan = Digest(hashing: [1])
  /// Of x.
  let exponents: [Int8] = [3, -2, 0]
  let inputSums: [Int64] = [1 << 25, -3 << 20, 5 << 18]
  let triangle: [Int32] = [900, -20, 70, 5, 6, 4]
  let targetSums: [Int64] = [1 << 24, -3 << 22]
  let targets: [Int64] = [1 << 30, -1 << 25, 7, 0, 1 << 24, -9]
  let tokens = 64

  init() throws { folder = try TemporaryFolder() }

  private func write() throws -> FilePath {
    let path = TargetMomentsFile.path(
      of: TapPlace(layer: 12, .mlpDown), in: FilePath(folder.path))
    var sums: [UInt8] = []
    func append(_ values: [some FixedWidthInteger]) {
      for value in values { withUnsafeBytes(of: value.littleEndian) { sums += $0 } }
    }
    append([tokens])
    append(inputSums)
    append(triangle)
    append(targetSums)
    append(targets)
    try sums.withUnsafeBytes {
      try TargetMomentsFile.write(
        $0, outputCount: targetSums.count, exponents: exponents, plan: plan, to: path,
        attempt: "1")
    }
    return path
  }

  private func power(_ exponent: Int) -> Double {
    Double(sign: .plus, exponent: exponent, significand: 1)
  }

  @Test("what was summed comes back as means and covariances")
  func roundTrip() throws {
    let path = try write()
    #expect(path.lastComponent?.string == "12-mlp.down_proj.safetensors")
    let file = try TargetMomentsFile(path: path, plan: plan)
    #expect(file.tokenCount == tokens)
    // All numbers are multiples of powers of two, and few: f64 has them exactly.
    let mean = (0..<3).map { Double(inputSums[$0]) * power(-20 - Int(exponents[$0])) / 64 }
    #expect(file.inputMean == mean)
    let targetMean = targetSums.map { Double($0) * power(-24) / 64 }
    #expect(file.targetMean == targetMean)
    for row in 0..<3 {
      var values = [Double](repeating: .nan, count: row + 1)
      file.readCovariance(row, 0..<row + 1, to: &values)
      for column in 0...row {
        let sum =
          Double(triangle[row * (row + 1) / 2 + column])
          * power(-Int(exponents[row]) - Int(exponents[column]))
        #expect(values[column] == sum / 64 - mean[row] * mean[column])
      }
    }
    for output in 0..<2 {
      var values = [Double](repeating: .nan, count: 3)
      file.readCross(output, to: &values)
      for channel in 0..<3 {
        let sum = Double(targets[3 * output + channel]) * power(-24 - Int(exponents[channel]))
        #expect(values[channel] == sum / 64 - targetMean[output] * mean[channel])
      }
    }
  }

  @Test("of another plan, or cut short, it is refused in one line")
  func refused() throws {
    let path = try write()
    let other = #expect(throws: ResultFileError.self) {
      try TargetMomentsFile(path: path, plan: Digest(hashing: [2]))
    }
    #expect(other?.description.contains("of another plan") == true)
    #expect(other?.description.contains("\n") == false)
    let file = try FileDescriptor.open(path, .readWrite)
    defer { try? file.close() }
    let size = try file.seek(offset: 0, from: .end)
    try file.resize(to: size - 1)
    #expect(throws: (any Error).self) { try TargetMomentsFile(path: path, plan: plan) }
    #expect(throws: (any Error).self) {
      try TargetMomentsFile(path: FilePath(folder.path("none")), plan: plan)
    }
  }
}
