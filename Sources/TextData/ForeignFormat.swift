/// A format that is known, not read, and can be made one that is.
enum ForeignFormat: Hashable, CaseIterable {
  case bzip2, brotli, zip, sevenZip, rar, tar
  case featherV1, pickle, orc, avro, hdf5, sqlite, npz
  case pdf, word, excel
  case spreadJSON

  /// By what a file begins with.
  init?(firstBytes bytes: ArraySlice<UInt8>) {
    let found = ForeignFormat.magics.first { magic in bytes.starts(with: magic.bytes) }?.format
    if let found {
      self = found
    } else if bytes.count > 262, bytes.dropFirst(257).starts(with: Array("ustar".utf8)) {
      self = .tar
    } else if bytes.count >= 2, bytes.first == 0x80, (2...5).contains(bytes[bytes.startIndex + 1]) {
      self = .pickle
    } else {
      return nil
    }
  }

  /// By what it is called, where that tells more than its first bytes do.
  init?(name: String) {
    let name = name.lowercased()
    guard
      let found = ForeignFormat.suffixes.first(where: { suffix in name.hasSuffix(suffix.text) })
    else { return nil }
    self = found.format
  }

  private static let magics: [(bytes: [UInt8], format: ForeignFormat)] = [
    (Array("BZh".utf8), .bzip2), ([0x50, 0x4B, 0x03, 0x04], .zip),
    ([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], .sevenZip), (Array("Rar!".utf8), .rar),
    (Array("FEA1".utf8), .featherV1), (Array("ORC".utf8) + [0x08], .orc),
    (Array("Obj".utf8) + [0x01], .avro), ([0x89, 0x48, 0x44, 0x46], .hdf5),
    (Array("SQLite format 3".utf8), .sqlite), (Array("%PDF-".utf8), .pdf),
  ]

  private static let suffixes: [(text: String, format: ForeignFormat)] = [
    (".docx", .word), (".odt", .word), (".epub", .word), (".xlsx", .excel), (".ods", .excel),
    (".npz", .npz), (".br", .brotli),
  ]

  var name: String {
    switch self {
    case .bzip2: "packed with bzip2"
    case .brotli: "packed with Brotli"
    case .zip: "a zip archive"
    case .sevenZip: "a 7z archive"
    case .rar: "a rar archive"
    case .tar: "a tar archive"
    case .featherV1: "Feather of version 1"
    case .pickle: "a pickle of Python"
    case .orc: "ORC"
    case .avro: "Avro"
    case .hdf5: "HDF5"
    case .sqlite: "a database of SQLite"
    case .npz: "an .npz of numpy"
    case .pdf: "PDF"
    case .word: "a document of a word processor"
    case .excel: "a spreadsheet"
    case .spreadJSON: "JSON objects of several lines each"
    }
  }

  /// The line of a shell that makes of the file one that is read.
  func conversion(of path: String) -> String {
    let file = ForeignFormat.quoted(path)
    func pandas(_ call: String) -> String {
      let parquet = ForeignFormat.quoted(ForeignFormat.stem(path) + ".parquet")
      return "python3 -c \"import pandas, sys; pandas.\(call)(sys.argv[1])"
        + ".to_parquet(sys.argv[2])\" \(file) \(parquet)"
    }
    let text = ForeignFormat.quoted(ForeignFormat.stem(path) + ".txt")
    return switch self {
    case .bzip2: "bunzip2 -k \(file)"
    case .brotli: "brotli -d \(file)"
    case .zip: "unzip \(file)"
    case .sevenZip: "7z x \(file)"
    case .rar: "unrar x \(file)"
    case .tar: "tar xf \(file)"
    case .featherV1: pandas("read_feather")
    case .pickle: pandas("read_pickle")
    case .orc: pandas("read_orc")
    case .hdf5: pandas("read_hdf")
    case .excel: pandas("read_excel")
    case .avro:
      "python3 -c \"import polars, sys; polars.read_avro(sys.argv[1]).write_parquet(sys.argv[2])\" "
        + "\(file) \(ForeignFormat.quoted(ForeignFormat.stem(path) + ".parquet"))"
    case .sqlite:
      "sqlite3 -header -csv \(file) 'SELECT text FROM …' > "
        + ForeignFormat.quoted(ForeignFormat.stem(path) + ".csv")
    case .npz:
      "python3 -c \"import numpy, sys; z = numpy.load(sys.argv[1]); "
        + "numpy.save(sys.argv[2], z[z.files[0]])\" "
        + "\(file) \(ForeignFormat.quoted(ForeignFormat.stem(path) + ".npy"))"
    case .pdf: "pdftotext \(file) \(text)"
    case .word: "pandoc -t plain \(file) -o \(text)"
    case .spreadJSON:
      "jq -c . \(file) > " + ForeignFormat.quoted(ForeignFormat.stem(path) + ".jsonl")
    }
  }

  private static func stem(_ path: String) -> String {
    guard let dot = path.lastIndex(of: "."), dot > path.lastIndex(of: "/") ?? path.startIndex else {
      return path
    }
    return String(path[..<dot])
  }

  /// As a shell wants it.
  private static func quoted(_ path: String) -> String {
    let isPlain = path.allSatisfy { character in
      character.isASCII
        && (character.isLetter || character.isNumber || "._-/+=@".contains(character))
    }
    return isPlain ? path : "'" + path.replacing("'", with: "'\\''") + "'"
  }
}
