import Export
import FlapCore
import FlapTestKit
import Foundation
import Kernels
import Statistics
import Storage
import SystemPackage
import Testing

/// A fitted map, on disk for workers that come later.
struct FittedMapFileTests {
  let folder: TemporaryFolder
  let plan = Digest(hashing: [1])
  let place = TapPlace(layer: 7, .attentionOutput)

  init() throws {
    folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder.path("fitted"), withIntermediateDirectories: false)
  }

  private func map(_ type: ElementType) throws -> FittedMap {
    let weight = try FittedWeight(elementType: type, rows: 3, columns: 5) { row, values in
      for column in 0..<5 { values[column] = 0.1 * Float(row * 5 + column) - 0.7 }
    }
    return FittedMap(weight: weight, bias: [0.1, -1 / 3, 1e-30], ridge: 0.1)
  }

  private func write(_ type: ElementType) throws -> FilePath {
    let path = FittedMapFile.path(of: place, in: FilePath(folder.path))
    try FittedMapFile.write(try map(type), plan: plan, to: path, attempt: "1")
    return path
  }

  @Test("every bit comes back", arguments: [ElementType.bfloat16, .float16, .float32])
  func roundTrip(type: ElementType) throws {
    let path = try write(type)
    #expect(path.string == folder.path("fitted/7-self_attn.o_proj.safetensors"))
    let (read, map) = (
      try FittedMapFile.read(path, plan: plan, type: type, rows: 3, columns: 5), try map(type)
    )
    #expect(read.weight.elementType == type)
    #expect(read.weight.rows == 3 && read.weight.columns == 5)
    #expect(Array(read.weight.bytes) == Array(map.weight.bytes))
    #expect(read.bias == map.bias)
    #expect(read.ridge == map.ridge)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("fitted")).count == 1)
  }

  @Test("of another plan, type or shape it is refused")
  func others() throws {
    let path = try write(.bfloat16)
    for (plan, type, rows, columns) in [
      (Digest(hashing: [2]), ElementType.bfloat16, 3, 5), (plan, .float16, 3, 5),
      (plan, .bfloat16, 5, 3), (plan, .bfloat16, 3, 4),
    ] {
      #expect(throws: ResultFileError.self) {
        try FittedMapFile.read(path, plan: plan, type: type, rows: rows, columns: columns)
      }
    }
  }

  @Test("damaged anywhere it is refused")
  func damaged() throws {
    let path = try write(.float32)
    let whole = try Data(contentsOf: URL(fileURLWithPath: path.string))
    // Three f64 and 15 f32 follow the header.
    for offset in 1...3 * 8 + 15 * 4 {
      var bytes = whole
      bytes[whole.count - offset] ^= 0x10
      try bytes.write(to: URL(fileURLWithPath: path.string))
      #expect(throws: ResultFileError.self) {
        try FittedMapFile.read(path, plan: plan, type: .float32, rows: 3, columns: 5)
      }
    }
    try whole.dropLast().write(to: URL(fileURLWithPath: path.string))
    #expect(throws: (any Error).self) {
      try FittedMapFile.read(path, plan: plan, type: .float32, rows: 3, columns: 5)
    }
  }
}
