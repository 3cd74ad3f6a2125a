import Checkpoint
import FlapCore
import FlapTestKit
import Foundation
import GGUF
import Storage
import SystemPackage
import Testing

/// The container, byte for byte.
struct WriterTests {
  @Test("the bytes are those of the package gguf")
  func golden() throws {
    let folder = try TemporaryFolder()
    let path = FilePath(folder.path("small.gguf"))
    var writer = try GGUFWriter(
      destination: path,
      metadata: [
        ("general.architecture", .string("deci")), ("a.count", .uint32(4_000_000_000)),
        ("a.number", .float32(1e-5)), ("a.flag", .bool(true)), ("a.text", .string("Grüße")),
        ("a.sizes", .int32s([3, -1, 7])), ("a.scores", .float32s([0.5, -1000])),
        ("a.words", .strings(["▁a", "", "b"])),
      ],
      tensors: [
        TensorInfo(name: "first", shape: [2, 3], elementType: .float32),
        TensorInfo(name: "second", shape: [5], elementType: .float16),
        TensorInfo(name: "third", shape: [4, 2], elementType: .bfloat16),
      ])
    let first = (0..<6).map { Float($0) }
    // In two pieces.
    try first.withUnsafeBytes {
      try writer.append(UnsafeRawBufferPointer(rebasing: $0[..<8]))
      try writer.append(UnsafeRawBufferPointer(rebasing: $0[8...]))
    }
    try (0..<5).map { Float16($0).bitPattern }.withUnsafeBytes { try writer.append($0) }
    try (0..<8).map { UInt16($0) }.withUnsafeBytes { try writer.append($0) }
    let file = try writer.commit()
    let written = try Data(contentsOf: URL(fileURLWithPath: path.string))
    #expect(written == (try Golden.file("small.gguf")))
    #expect(file.byteCount == written.count)
  }

  @Test("without a commit nothing stays")
  func abandoned() throws {
    let folder = try TemporaryFolder()
    do {
      _ = try GGUFWriter(
        destination: FilePath(folder.path("a.gguf")), metadata: [],
        tensors: [TensorInfo(name: "a", shape: [1], elementType: .float32)])
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }
}

enum Golden {
  static func file(_ name: String) throws -> Data {
    let url = try #require(Bundle.module.url(forResource: "Golden", withExtension: nil))
    return try Data(contentsOf: url.appending(path: name))
  }
}
