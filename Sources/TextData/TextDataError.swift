/// What is wrong with a text, where, and what to do.
public enum TextDataError: Error, Hashable, Sendable {
  case unknownKind(path: String)
  /// A file of one text where there should be a JSON object a line.
  case notLines(path: String)
  /// A folder without a file of a known kind.
  case noText(folder: String)
  case empty(path: String)
  /// A zero byte near the beginning.
  /// By its byte-order mark.
  case utf16(path: String)
  case binary(path: String, offset: Int)
  /// Offsets count bytes of the text, in a `.gz` after unpacking.
  case invalidUTF8(path: String, offset: Int)
  case notJSON(path: String, line: Int, offset: Int)
  case missingField(path: String, line: Int, field: String)
  case notGzip(path: String)
  case damagedGzip(path: String, offset: Int)
  case documentTooLarge(path: String, limitBytes: Int)
  case tooMuchText(path: String, limitBytes: Int)
  case tooFewWindows(path: String, asked: Int, found: Int, tokensPerWindow: Int, isRandom: Bool)
  case tokenOutsideVocabulary(token: Int32, size: Int)
  case noTokenizer(folder: String)
}

extension TextDataError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unknownKind(let path):
      "\(path) is no text that can be read: give .txt, .jsonl, one of them as .gz, or a folder"
    case .notLines(let path):
      "\(path) is not named as a file of JSON lines is: give .jsonl, or it as .gz"
    case .noText(let folder): "\(folder) holds no .txt or .jsonl file, and none as .gz"
    case .empty(let path): "\(path) is empty: give a file with text in it"
    case .utf16(let path):
      "\(path) is UTF-16: convert it to UTF-8, for example with iconv -f UTF-16 -t UTF-8"
    case .binary(let path, let offset):
      "\(path) is no text: it has a zero byte at offset \(offset)"
    case .invalidUTF8(let path, let offset):
      "\(path) is not UTF-8 at byte \(offset): convert it, for example with iconv"
    case .notJSON(let path, let line, let offset):
      "\(path), line \(line) is not a JSON object at its byte \(offset): each line of a .jsonl is one"
    case .missingField(let path, let line, let field):
      "\(path), line \(line) has no text in the field \"\(field)\": name another with --text-field"
    case .notGzip(let path): "\(path) is not in gzip's format: unpack it, or pack it with gzip"
    case .damagedGzip(let path, let offset):
      "\(path) is damaged or cut off after \(offset) unpacked bytes: copy or download it again"
    case .documentTooLarge(let path, let limitBytes):
      "\(path) holds a text above \(limitBytes >> 20) MiB: split it into several files"
    case .tooMuchText(let path, let limitBytes):
      "\(path): there are more than \(limitBytes >> 30) GiB of text: give fewer files"
    case .tooFewWindows(let path, let asked, let found, let tokensPerWindow, let isRandom):
      "\(path) holds \(found) windows of \(tokensPerWindow) tokens\(isRandom ? " within its texts" : "")"
        + ", and \(asked) are asked for: lower --samples or --sequence-length, or give more text"
    case .tokenOutsideVocabulary(let token, let size):
      "the tokenizer gives the token id \(token), outside the model's vocabulary of \(size): "
        + "use the model's own tokenizer"
    case .noTokenizer(let folder):
      "\(folder) holds neither tokenizer.json nor tokenizer.model: copy the model's tokenizer there"
    }
  }
}

/// Bounds on what is read.
public enum TextLimits {
  /// Largest single text: positions in it are 32-bit.
  public static let documentBytes = 1 << 30
  /// Most text of all files together that random sampling holds in memory.
  public static let textBytes = 16 << 30
  /// Where a zero byte makes a file a binary one.
  static let binaryProbeBytes = 8 << 10
  static let chunkBytes = 1 << 18
}
