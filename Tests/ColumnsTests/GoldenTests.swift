import Columns
import Foundation
import Testing

/// What pyarrow, pandas, polars and datasets wrote (`make_golden.py`).
struct GoldenTests {
  static let folder = Bundle.module.bundleURL.appending(path: "Golden")

  static let names = try! FileManager.default.contentsOfDirectory(atPath: folder.path)
    .filter { !$0.hasSuffix(".json") && !$0.hasPrefix("brotli") }.sorted()

  static func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: folder.appending(path: name)))
  }

  /// The texts of the column `text`: nil for null, lists joined by line ends.
  static func texts(_ bytes: [UInt8], limit: Int = .max) throws -> [String?] {
    try bytes.withUnsafeBytes { bytes in
      let table: any Table =
        bytes.starts(with: Array("PAR1".utf8)) ? try ParquetTable(bytes) : try ArrowTable(bytes)
      guard
        let column = table.columns.firstIndex(where: {
          $0.name == "text" && $0.isRead
        })
      else { return [] }
      var reader = try table.reader(ofColumn: column)
      var texts: [String?] = []
      while texts.count < limit, let cell = try reader.next() {
        switch cell {
        case .null: texts.append(nil)
        case .text(let text): texts.append(String(decoding: text, as: UTF8.self))
        case .texts(let lines):
          texts.append(lines.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n"))
        case .records(let records):
          texts.append(
            records.map { record in
              ["role", "content"].map { name in
                record[name].map { String(decoding: $0, as: UTF8.self) } ?? "-"
              }.joined(separator: ": ")
            }.joined(separator: "\n"))
        }
      }
      return texts
    }
  }

  private struct Expected: Decodable {
    let texts: [String?]
    let lists: [String?]
    let messages: [String]
  }

  @Test("every file gives the texts it was made of", arguments: names)
  func texts(name: String) throws {
    let expected = try JSONDecoder().decode(
      Expected.self, from: Data(contentsOf: GoldenTests.folder.appending(path: "texts.json")))
    let texts = try GoldenTests.texts(GoldenTests.bytes(name))
    if name.hasPrefix("lists") {
      // A list that is null has no texts, as an empty one has none.
      #expect(texts.map { $0 ?? "" } == expected.lists.map { $0 ?? "" })
    } else if name.hasPrefix("messages") {
      #expect(texts.map { $0 ?? "" } == expected.messages)
    } else if name.hasPrefix("no-rows") {
      #expect(texts.isEmpty)
    } else if name.hasPrefix("required") {
      #expect(texts == expected.texts.map { $0 ?? "" })
    } else {
      #expect(texts == expected.texts)
    }
  }

  @Test("all forms are there") func count() {
    #expect(GoldenTests.names.count { $0.hasSuffix(".parquet") } == 31)
    #expect(GoldenTests.names.count { !$0.hasSuffix(".parquet") } == 26)
  }

  @Test("columns have names and kinds", arguments: ["none-v1.parquet", "file-none.arrow"])
  func columns(name: String) throws {
    let columns = try GoldenTests.bytes(name).withUnsafeBytes { bytes in
      let table: any Table =
        name.hasSuffix("parquet") ? try ParquetTable(bytes) : try ArrowTable(bytes)
      return table.columns.filter { $0.name != "view" }
    }
    #expect(columns.map(\.name) == ["id", "tags", "text", "meta", "good"])
    #expect(columns[2].kind == .text)
    #expect(columns[0].kind == .other("numbers"))
    #expect(columns.filter { $0.isRead }.map(\.name) == ["text"])
  }
}
