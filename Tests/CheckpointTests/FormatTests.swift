import Checkpoint
import FlapCore
import FlapTestKit
import Foundation
import Storage
import SystemPackage
import Testing

/// Files that the formats' own packages wrote (`make_golden.py`).
struct FormatTests {
  static func golden(_ name: String) -> FilePath {
    FilePath(Bundle.module.bundleURL.appending(path: "Golden/\(name)").path)
  }

  @Test("every type of weights")
  func types() throws {
    let file = try SafetensorsFile(path: FormatTests.golden("types.safetensors"))
    let exact: [Float] = [0, -0.0, 1, -2.5, 65504, 1e-7, .infinity, -.infinity]
    #expect(file.tensor("f32")?.float32Values() == exact)
    #expect(file.tensor("f32")?.shape == [2, 4])
    #expect(file.tensor("f64")?.float64Values()[5] == 1e-7)
    // 65504 has 11 bits, bf16 keeps 8; 1e-7 is subnormal in f16.
    #expect(file.tensor("bf16")?.float32Values()[4] == 65536)
    #expect(file.tensor("f16")?.float32Values()[4] == 65504)
    #expect(file.tensor("f16")?.float32Values()[5] == 0x1p-23)
    #expect(file.tensor("f16")?.float32Values().suffix(2) == [.infinity, -.infinity])
    #expect(file.tensor("u8")?.float32Values() == [0, 1, 255])
    #expect(file.tensor("none") == nil)
  }

  @Test("written again, the file is the same to the byte")
  func rewrite() throws {
    let folder = try TemporaryFolder()
    let original = FormatTests.golden("types.safetensors")
    let file = try SafetensorsFile(path: original)
    let copy = FilePath(folder.path("copy.safetensors"))
    var writer = try SafetensorsWriter(
      destination: copy,
      tensors: file.header.tensors.map {
        TensorDeclaration(name: $0.name, elementType: $0.elementType, shape: $0.shape)
      }, metadata: file.header.metadata)
    for tensor in file.header.tensors { try writer.append(file.tensor(tensor.name)!.bytes) }
    let committed = try writer.commit()
    let bytes = try SmallFile.read(copy, limit: 1 << 20)
    #expect(try bytes == SmallFile.read(original, limit: 1 << 20))
    #expect(committed.digest == Digest(hashing: bytes))
  }

  @Test(
    "token ids",
    arguments: [
      "int32.npy", "int64.npy", "version2.npy", "uint16.npy", "uint32.npy", "uint64.npy",
      "int16.npy",
      "uint8.npy", "int8.npy",
    ])
  func tokens(name: String) throws {
    let tokens = try TokenMatrix(path: FormatTests.golden(name))
    #expect(tokens.sampleCount == 3)
    #expect(tokens.tokensPerSample == 4)
    #expect(tokens.tokens == Array(0..<12))
    #expect(Array(tokens.rows(1..<2)) == [4, 5, 6, 7])
    #expect(tokens.prefix(sampleCount: 2).tokens == Array(0..<8))
    #expect(throws: Never.self) { try tokens.validate(vocabularySize: 12) }
    #expect(throws: CheckpointError.self) { try tokens.validate(vocabularySize: 11) }
    #expect(try tokens.digest == TokenMatrix(path: FormatTests.golden("int32.npy")).digest)
    #expect(tokens.digest != tokens.prefix(sampleCount: 2).digest)
  }

  @Test(
    "other arrays are refused",
    arguments: [
      ("float.npy", "not little-endian integers: python3"), ("fortran.npy", "C order"),
      ("vector.npy", "not a matrix"),
      ("empty.npy", "empty"), ("wide.npy", "1099511627776 (sample 0, position 1) is no token id"),
    ])
  func otherArrays(name: String, reason: String) {
    let error = #expect(throws: CheckpointError.self) {
      try TokenMatrix(path: FormatTests.golden(name))
    }
    #expect(error.map { "\($0)".contains(reason) } == true, "\(String(describing: error))")
  }

  @Test("pads at the ends of rows are left out, those within are tokens")
  func pads() throws {
    let rows: [[Int32]] = [
      [9, 9, 1, 2], [3, 9, 4, 9], [9, 9, 9, 9], [5, 6, 7, 9], [8, 0, 0, 0],
    ]
    let matrix = TokenMatrix(
      sampleCount: 5, tokensPerSample: 4, tokens: rows.flatMap { $0 }, path: "ids.npy")
    let packed = try #require(
      try matrix.packed(withoutPad: 9, tokensPerSample: 3, vocabularySize: 10))
    #expect(packed.tokens == [1, 2, 3, 9, 4, 5, 6, 7, 8, 0, 0, 0])
    #expect(packed.sampleCount == 4)
    #expect(try matrix.packed(withoutPad: 9, tokensPerSample: 13, vocabularySize: 10) == nil)
    // The place in the file; a pad itself may be outside.
    #expect(
      throws: CheckpointError.tokenOutsideVocabulary(
        path: "ids.npy", sample: 1, position: 1, token: 9, size: 9)
    ) { try matrix.packed(withoutPad: 9, tokensPerSample: 3, vocabularySize: 9) }
    #expect(
      try matrix.packed(withoutPad: 0, tokensPerSample: 4, vocabularySize: 10)?.sampleCount == 4)
    #expect(matrix.likelyPad == nil)
    let padded = TokenMatrix(
      sampleCount: 2, tokensPerSample: 6, tokens: [1, 2, 9, 9, 9, 9, 3, 9, 9, 9, 9, 9], path: "")
    #expect(padded.likelyPad == 9)
  }

  @Test("a .npy file cut or changed at random is read or refused")
  func fuzzTokens() throws {
    let folder = try TemporaryFolder()
    let valid = try SmallFile.read(FormatTests.golden("int32.npy"), limit: 1 << 20)
    var generator = SeededGenerator(seed: 2)
    for _ in 0..<FuzzCount.perTest / 20 {
      var bytes = valid
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(
          in: 0...255, using: &generator)
      }
      bytes.removeLast(Int.random(in: 0...4, using: &generator) * 13)
      let path = try folder.write(bytes, to: "fuzz.npy")
      guard let tokens = try? TokenMatrix(path: FilePath(path)) else { continue }
      #expect(tokens.tokens.count == tokens.sampleCount * tokens.tokensPerSample)
    }
  }
}
