import Columns
import FlapTestKit
import Testing

/// Files that are cut, lie or are mutated are refused with one line, and never bring the reader down.
struct DamageTests {
  private func refusal(_ bytes: [UInt8]) -> String? {
    do {
      _ = try GoldenTests.texts(bytes)
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test("a file cut anywhere is refused", arguments: ["snappy-v2.parquet", "file-lz4.arrow"])
  func cut(name: String) throws {
    let bytes = try GoldenTests.bytes(name)
    for count in stride(from: 8, to: bytes.count, by: 7) {
      let line = try #require(refusal(Array(bytes.prefix(count))), "\(count)")
      #expect(line.contains("copy or download it again"), "\(line)")
    }
  }

  /// Cut between two messages it is a stream without its end mark, which the format allows.
  @Test("a stream cut within a message is refused") func cutStream() throws {
    let bytes = try GoldenTests.bytes("stream-none.arrow")
    let whole = try GoldenTests.texts(bytes)
    for count in stride(from: 5, to: bytes.count, by: 7) {
      guard refusal(Array(bytes.prefix(count))) == nil else { continue }
      let texts = try GoldenTests.texts(Array(bytes.prefix(count)))
      #expect(texts == Array(whole.prefix(texts.count)) && texts.count % 20 == 0 || texts == whole)
    }
  }

  @Test("what is not read says so") func unsupported() throws {
    let line = try #require(refusal(try GoldenTests.bytes("brotli.parquet")))
    #expect(line.contains("pages packed with Brotli"))
    #expect(line.contains("python3 -c \"import pyarrow.parquet"))
    #expect(refusal(Array("PAR1 and nothing else".utf8))?.contains("is not Parquet") == true)
    let encrypted = Array("PAR1".utf8) + [UInt8](repeating: 0, count: 20) + Array("PARE".utf8)
    #expect(refusal(encrypted)?.contains("encrypted") == true)
  }

  /// What declares more than is read, before any memory is taken for it.
  @Test("bombs are refused by name") func bombs() throws {
    var footer = try GoldenTests.bytes("zstd-v1.parquet")
    footer.replaceSubrange(footer.count - 8..<footer.count - 4, with: [0xFF, 0xFF, 0xFF, 0x7F])
    #expect(try #require(refusal(footer)).contains("its footer"))

    var message = try GoldenTests.bytes("stream-none.arrow")
    message.replaceSubrange(4..<8, with: [0xFF, 0xFF, 0xFF, 0x7F])
    #expect(try #require(refusal(message)).contains("it is not Arrow"))

    // The header of the first page: field 1, a dictionary; field 2, its size unpacked; field 3.
    var page = try GoldenTests.bytes("required.parquet")
    #expect(page[4...].starts(with: [0x15, 0x04, 0x15]))
    let end = try #require(page[7...].firstIndex { $0 < 0x80 })
    // 1 500 000 000 in zigzag and LEB128.
    page.replaceSubrange(7...end, with: [0x80, 0xBC, 0xC1, 0x96, 0x0B])
    let line = try #require(refusal(page))
    #expect(
      line.contains("a page at byte 4 declares 1500000000, and at most 1073741824"), "\(line)")

    // The size of a packed buffer, before its magic: more than is read, and another than it has.
    let packed = try GoldenTests.bytes("file-zstd.arrow")
    let magic: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]
    let places = packed.indices.dropFirst(8).filter { packed[$0...].starts(with: magic) }
    #expect(!places.isEmpty)
    for (size, reason) in [(1 << 40, "declares 1099511627776"), (1 << 30, "packed buffer")] {
      var bytes = packed
      for place in places {
        withUnsafeBytes(of: Int64(size).littleEndian) { size in
          bytes.replaceSubrange(place - 8..<place, with: Array(size))
        }
      }
      #expect(try #require(refusal(bytes)).contains(reason))
    }
  }

  @Test("mutated files are read or refused") func fuzz() throws {
    let files = try GoldenTests.names.map { try GoldenTests.bytes($0) }
    var generator = SeededGenerator(seed: 20)
    var (readCount, refusedCount) = (0, 0)
    for _ in 0..<FuzzCount.perTest {
      var bytes = files.randomElement(using: &generator)!
      for _ in 0..<Int.random(in: 1...5, using: &generator) {
        mutate(&bytes, &generator)
      }
      if (try? GoldenTests.texts(bytes, limit: 2000)) != nil {
        readCount += 1
      } else {
        refusedCount += 1
      }
    }
    #expect(readCount > 0 && refusedCount > 0)
  }

  private func mutate(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
    guard bytes.count > 16 else { return }
    // Descriptions lie at the ends.
    let index =
      generator.chance(0.5)
      ? Int.random(in: 0..<bytes.count, using: &generator)
      : bytes.count - 1 - Int.random(in: 0..<min(600, bytes.count), using: &generator)
    switch Int.random(in: 0..<6, using: &generator) {
    case 0: bytes[index] = .random(in: 0...255, using: &generator)
    case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 2: bytes[index] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &generator)!
    case 3:
      let count = min(Int.random(in: 1...8, using: &generator), bytes.count - index)
      bytes.replaceSubrange(
        index..<index + count,
        with: [UInt8](repeating: generator.chance(0.5) ? 0xFF : 0, count: count))
    case 4:
      let count = min(Int.random(in: 1...16, using: &generator), bytes.count - index)
      bytes.removeSubrange(index..<index + count)
    default:
      let from = Int.random(in: 0..<bytes.count - 8, using: &generator)
      bytes.insert(contentsOf: Array(bytes[from..<from + 8]), at: index)
    }
  }
}
