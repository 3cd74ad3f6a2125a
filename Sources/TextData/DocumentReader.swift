internal import Compression
internal import SystemPackage

/// The texts of one file, one after another: valid UTF-8, none empty.
struct DocumentReader: ~Copyable {
  private var source: any DocumentSource & ~Copyable
  private let name: String
  private let field: String
  private var hasText = false

  /// - Parameters:
  ///   - sampling: tells the field of the text in a record, and what becomes of line ends.
  ///   - chatFormat: writes conversations as text; nil: they are refused.
  /// - Throws: ``TextDataError`` or a `StorageError`.
  init(_ file: TextFile, _ sampling: TextSampling, _ chatFormat: ChatFormat? = nil) throws {
    source = try DocumentReader.source(file, sampling, chatFormat)
    name = file.name
    field = sampling.textField
  }

  private static func source(
    _ file: TextFile, _ sampling: TextSampling, _ chatFormat: ChatFormat?
  ) throws -> any DocumentSource & ~Copyable {
    if let format = ForeignFormat(name: file.path.string) {
      throw TextDataError.foreign(path: file.name, format: format)
    }
    var buffer = try TextBuffer(file)
    let contents = FileContents(firstBytes: buffer.firstBytes)
    let form = try DocumentReader.form(of: file, contents)
    let record = RecordText(field: sampling.textField, chatFormat)
    if buffer.firstBytes.starts(with: FileContents.byteOrderMark) { buffer.use(3) }
    switch form {
    case .plain: return PlainDocument(buffer, keepsLineEnds: sampling.keepsLineEnds)
    case .json:
      guard !contents.beginsAsSettings else {
        throw TextDataError.foreign(path: file.name, format: .spreadJSON)
      }
      // A line cannot begin so, unless all is one array.
      if contents.firstByte == UInt8(ascii: "["), file.path.extension != "jsonl" {
        return JSONArrayDocuments(buffer, record)
      }
      return JSONLineDocuments(buffer, record)
    case .delimited(let separator):
      return try DelimitedDocuments(buffer, separator: separator, record)
    case .parquet, .arrow:
      guard !buffer.isPacked, !file.isStandardInput else {
        throw TextDataError.packedTable(path: file.name)
      }
      return try TableDocuments(file, form, record)
    }
  }

  private static func form(
    of file: TextFile, _ contents: FileContents
  ) throws(TextDataError) -> TextFile.Form {
    let isTable = file.form == .parquet || file.form == .arrow
    switch contents.kind {
    case .empty: throw .empty(path: file.name)
    case .foreign(let format): throw .foreign(path: file.name, format: format)
    case .parquet: return .parquet
    case .arrow: return .arrow
    case .utf16 where !isTable: throw .utf16(path: file.name)
    case .binary(let offset) where !isTable: throw .binary(path: file.name, offset: offset)
    case .utf16, .binary, .text: break
    }
    if let form = file.form { return form }
    // Standard input has no name.
    let beginsAsJSON = contents.firstByte.map { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "[") }
    return file.isStandardInput && beginsAsJSON == true ? .json : .plain
  }

  /// - Returns: nil at the end.
  /// - Throws: ``TextDataError`` or a `StorageError`.
  mutating func next() throws -> TextDocument? {
    let text = try source.next()
    if text != nil {
      hasText = true
    } else if !hasText {
      throw TextDataError.onlyEmptyTexts(path: name, field: field)
    }
    return text
  }

  /// Line ends that became another kind since this was asked last. Those of records stay: who wrote
  /// them named each.
  mutating func takeChangedLineEndCount() -> Int { source.takeChangedLineEndCount() }
}

/// Texts of a file of one form.
protocol DocumentSource: ~Copyable {
  mutating func next() throws -> TextDocument?
  mutating func takeChangedLineEndCount() -> Int
}

extension DocumentSource where Self: ~Copyable {
  mutating func takeChangedLineEndCount() -> Int { 0 }
}
