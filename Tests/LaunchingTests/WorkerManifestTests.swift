import FlapCore
import FlapTestKit
import Launching
import Testing

struct WorkerManifestTests {
  private static let digest = String(repeating: "ab", count: 32)
  private static let head = "version 0.1.0\narch x86_64\nprotocol 5\n"
  private static let text =
    head + "\(digest)  755  1000  bin/flap-worker\n\(digest)  0644  20  lib/libstdc++.so.6\n"

  @Test func wellFormed() throws {
    let manifest = try WorkerManifest(parsing: Array(Self.text.utf8))
    #expect(manifest.version == "0.1.0")
    #expect(manifest.architecture == "x86_64")
    #expect(manifest.protocolVersion == 5)
    #expect(manifest.files.map(\.path) == ["bin/flap-worker", "lib/libstdc++.so.6"])
    #expect(manifest.files.map(\.mode) == ["755", "0644"])
    #expect(manifest.files.map(\.byteCount) == [1000, 20])
    #expect(manifest.byteCount == Self.text.utf8.count)
    #expect(manifest.totalByteCount == Self.text.utf8.count + 1020)
  }

  static let malformed: [(text: String, line: Int)] = [
    ("", 1), ("\n", 1), ("version 0.1.0", 1), ("arch x86_64\n", 1), ("version \n", 1),
    ("version 1 2\n", 1), ("version $(id)\n", 1), ("version 0.1.0\narch x86_64\nprotocol v\n", 3),
    (text + "\n", 6), (text + "\(digest)  755  1  bin/flap-worker\n", 6),
    (text + "\(digest)  755  1  ../x\n", 6), (text + "\(digest)  755  1  /x\n", 6),
    (text + "\(digest)  755  1  a//b\n", 6), (text + "\(digest)  755  1  a b\n", 6),
    (text + "\(digest)  755  1  -x\n", 6), (text + "\(digest)  755  1  'x\n", 6),
    (text + "\(digest)  755  1  WORKER\n", 6), (text + "\(digest)  888  1  x\n", 6),
    (text + "\(digest)  755  -1  x\n", 6), (text + "\(digest)  755  99999999999  x\n", 6),
    (text + "\(digest.uppercased())  755  1  x\n", 6), (text + "\(digest) 755 1 x\n", 6),
    (text.replacing("arch", with: "\u{1B}"), 2),
  ]

  @Test("what is malformed is refused with its line", arguments: malformed.indices)
  func refused(index: Int) {
    let (text, line) = Self.malformed[index]
    #expect(throws: WorkerManifestError.malformed(line: line)) {
      try WorkerManifest(parsing: Array(text.utf8))
    }
  }

  @Test func withoutWorker() {
    #expect(throws: WorkerManifestError.noWorker) {
      try WorkerManifest(parsing: Array(Self.head.utf8))
    }
  }

  @Test func fuzz() {
    var generator = SeededGenerator(seed: 5)
    let original = Array(Self.text.utf8)
    var takenCount = 0
    for _ in 0..<FuzzCount.perTest {
      let bytes = original.mutated(using: &generator)
      guard let manifest = try? WorkerManifest(parsing: bytes) else { continue }
      takenCount += 1
      let areGood = manifest.files.allSatisfy { file in
        !file.path.hasPrefix("/") && !file.path.hasPrefix("-") && !file.path.contains(" ")
          && !file.path.split(separator: "/").contains("..") && file.byteCount >= 0
      }
      #expect(areGood)
      #expect(manifest.totalByteCount <= WorkerManifest.bundleByteLimit)
    }
    #expect(takenCount > FuzzCount.perTest / 100)
  }
}

extension [UInt8] {
  /// With one to three bytes changed, left out or put in.
  func mutated(using generator: inout SeededGenerator) -> [UInt8] {
    var bytes = self
    for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
      let index = Int.random(in: 0..<bytes.count, using: &generator)
      switch Int.random(in: 0..<4, using: &generator) {
      case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
      case 1: bytes.remove(at: index)
      case 2: bytes.insert(randomElement(using: &generator)!, at: index)
      default: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      }
    }
    return bytes
  }
}
