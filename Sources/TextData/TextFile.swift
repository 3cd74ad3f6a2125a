internal import Compression
public import SystemPackage

/// A file of text, and what its name says of it; the rest its contents tell (`FileContents`).
public struct TextFile: Hashable, Sendable {
  public enum Form: Hashable, Sendable {
    /// One text.
    case plain
    /// JSON objects, a text in each: one a line, or the elements of an array.
    case json
    /// Rows of columns, with a header (RFC 4180).
    case delimited(by: UInt8)
    case parquet
    /// Arrow's IPC format, of a file or of a stream.
    case arrow

    /// Whether texts are records of it.
    var isTable: Bool { self != .plain }
  }

  public let path: FilePath
  /// By its name; nil: any.
  public let form: Form?
  let packing: StreamFormat?

  /// `-`: what comes through standard input.
  public static let standardInput = FilePath("-")

  var isStandardInput: Bool { path == TextFile.standardInput }

  /// What errors call it.
  var name: String { isStandardInput ? "standard input" : path.string }

  public init(path: FilePath) {
    self.path = path
    var name = path.lastComponent?.string.lowercased() ?? ""
    packing = StreamFormat.allCases.first { name.hasSuffix($0.suffix) }
    name.removeLast(packing?.suffix.count ?? 0)
    form = TextFile.forms.first { $0.suffixes.contains { name.hasSuffix($0) } }?.form
  }

  private static let forms: [(suffixes: [String], form: Form)] = [
    ([".txt"], .plain),
    // Sets of JSON lines are often published as .json.
    ([".jsonl", ".ndjson", ".json"], .json),
    ([".csv"], .delimited(by: UInt8(ascii: ","))),
    ([".tsv", ".tab"], .delimited(by: UInt8(ascii: "\t"))),
    ([".parquet", ".pq"], .parquet),
    ([".arrow", ".arrows", ".feather", ".ipc"], .arrow),
  ]
}
