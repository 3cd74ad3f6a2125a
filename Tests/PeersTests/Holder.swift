import FlapCore
import FlapTestKit
import Peers
import Storage
import SystemPackage
import Transport

/// A server with files of random bytes, and what a client makes of them.
final class Holder {
  let server: PeerServer
  let files: [(bytes: [UInt8], file: SpooledFile)]
  private let folder: TemporaryFolder

  init(byteCounts: [Int], keys: PeerKeys?, host: String = "127.0.0.1") throws {
    let folder = try TemporaryFolder()
    var generator = SeededGenerator(seed: 5)
    let files = try byteCounts.map { count in
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
      var writer = try SpoolWriter(in: FilePath(folder.path))
      try bytes.withUnsafeBytes { try writer.write($0) }
      return (bytes, try writer.finish())
    }
    let spooled = files.map { $0.1 }
    server = try PeerServer(host: host, keys: keys) { digest in
      spooled.first { $0.digest == digest }
    }
    self.folder = folder
    self.files = files
  }

  /// Fetches a file whole and in order.
  func fetch(
    _ index: Int = 0, by client: PeerClient, step: Int = Limits.chunkBytes,
    patience: Duration = .seconds(20)
  ) throws -> [UInt8] {
    try client.fetchAll(
      files[index].file.digest, byteCount: files[index].bytes.count, from: server.endpoint,
      step: step, patience: patience)
  }
}

extension PeerClient {
  func fetchAll(
    _ digest: Digest, byteCount: Int, from endpoint: String, step: Int = Limits.chunkBytes,
    patience: Duration = .seconds(20)
  ) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try fetch(
      digest, byteCount: byteCount, from: endpoint,
      ranges: Self.ranges(of: byteCount, step: step), patience: patience, isAbandoned: { false },
      take: { range, part in
        guard range.lowerBound == bytes.count, part.count == range.count else { throw OutOfOrder() }
        bytes += part
      })
    return bytes
  }

  static func ranges(of byteCount: Int, step: Int) -> some Sequence<Range<Int>> {
    stride(from: 0, to: byteCount, by: step).lazy.map { $0..<min($0 + step, byteCount) }
  }

  struct OutOfOrder: Error {}
}

func makeKeys() throws -> PeerKeys { PeerKeys(try CurveKeyPair.generate()) }
