/// What is wrong with a text, where, and what to do.
///
/// Offsets count bytes of the text, of a packed one after unpacking. A place is a file with the line,
/// row or record in it.
public enum TextDataError: Error, Hashable, Sendable {
  /// A file of one text where there should be a JSON object a line.
  case notLines(path: String)
  /// A folder without a file of text.
  case noText(folder: String)
  case foldersTooDeep(folder: String)
  case severalSplits(folder: String, splits: [String])
  case noSuchSplit(folder: String, split: String, splits: [String])
  case empty(path: String)
  /// By its byte-order mark.
  case utf16(path: String)
  /// A zero byte near the beginning.
  case binary(path: String, offset: Int)
  /// A format that is known and not read, and the line that makes another of it.
  case unreadFormat(path: String, format: String, conversion: String)
  case invalidUTF8(path: String, offset: Int)
  case invalidUTF8Row(place: String)
  case notJSON(place: String, isLine: Bool, offset: Int)
  case notJSONArray(path: String, offset: Int)
  /// The file ends within a record.
  case cutOff(place: String)
  case missingField(place: String, isTable: Bool, field: String, available: [String])
  case noTextInField(place: String, field: String, type: String)
  /// Every text of the file is empty.
  case onlyEmptyTexts(path: String, field: String)
  case raggedRow(place: String, fieldCount: Int, columnCount: Int)
  case openQuote(place: String)
  /// A file of columns that cannot be read from its beginning to its end alone.
  case packedTable(path: String)
  case damagedTable(path: String, reason: String)
  case notPacked(path: String, format: String)
  case damagedPacking(path: String, format: String, offset: Int)
  case documentTooLarge(path: String, limitBytes: Int)
  case tooMuchText(path: String, limitBytes: Int)
  case tooFewWindows(
    path: String, asked: Int, found: Int, tokensPerWindow: Int, isRandom: Bool, inARow: Int)
  case tokenOutsideVocabulary(token: Int32, size: Int)
  case noTokenizer(folder: String)
  /// A place is a file with the line in it.
  case noChatTemplate(place: String, folder: String)
  case noDefaultChatTemplate(folder: String, names: [String])
  case unreadableChatTemplate(path: String, reason: String)
  /// By the template's own words.
  case refusedConversation(place: String, message: String)
  case failedTemplate(path: String, place: String, reason: String)
  case brokenConversation(place: String, reason: String)
  case conversationWithoutTokenizerJSON(place: String)

  static func foreign(path: String, format: ForeignFormat) -> TextDataError {
    .unreadFormat(path: path, format: format.name, conversion: format.conversion(of: path))
  }
}

extension TextDataError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notLines(let path):
      "\(path) is not named as a file of JSON lines is: give .jsonl, plain or packed"
    case .noText(let folder): "\(folder) holds no file of text"
    case .foldersTooDeep(let folder):
      "\(folder) lies too deep among folders, or a link leads back: give the folder of the text itself"
    case .severalSplits(let folder, let splits):
      "\(folder) holds the splits \(splits.joined(separator: ", ")): name one, as "
        + "\(folder)\(folder.hasSuffix("/") ? "" : "/")\(splits[0])"
    case .noSuchSplit(let folder, let split, let splits):
      "\(folder) holds no split \(split): it has \(splits.joined(separator: ", "))"
    case .empty(let path): "\(path) is empty: give a file with text in it"
    case .utf16(let path):
      "\(path) is UTF-16: convert it to UTF-8, for example with iconv -f UTF-16 -t UTF-8"
    case .binary(let path, let offset):
      "\(path) is no text: it has a zero byte at offset \(offset)"
    case .unreadFormat(let path, let format, let conversion):
      "\(path) is \(format), which is not read: \(conversion)"
    case .invalidUTF8(let path, let offset):
      "\(path) is not UTF-8 at byte \(offset): convert it, for example with iconv"
    case .invalidUTF8Row(let place):
      "\(place): its text is not UTF-8: convert the file, for example with iconv"
    case .notJSON(let place, let isLine, let offset):
      "\(place) is not a JSON object at its byte \(offset)"
        + (isLine ? ": each line of a .jsonl is one" : ": each element is one, or a text itself")
    case .notJSONArray(let path, let offset):
      "\(path) is not one JSON array at byte \(offset): write it again, or one object a line"
    case .cutOff(let place): "\(place) is cut off: copy or download the file again"
    case .missingField(let place, let isTable, let field, let available):
      "\(place) has no \(isTable ? "column" : "text in the field") \"\(field)\": name another with "
        + "--text-field" + TextDataError.listed(available)
    case .noTextInField(let place, let field, let type):
      "\(place) has \(type) in \"\(field)\", no text: name another with --text-field"
    case .onlyEmptyTexts(let path, let field):
      "\(path) has no text in \"\(field)\", in no record: name another with --text-field"
    case .raggedRow(let place, let fieldCount, let columnCount):
      "\(place) has \(fieldCount) field\(fieldCount == 1 ? "" : "s"), the header \(columnCount): quote "
        + "what holds separators, quotes or line ends"
    case .openQuote(let place):
      "\(place) opens a quote that is never closed: close it, or download the file again"
    case .packedTable(let path):
      "\(path) is a table of Parquet or Arrow that is packed or comes through a pipe: unpack it into "
        + "a file and name that"
    case .damagedTable(let path, let reason): "\(path): \(reason)"
    case .notPacked(let path, let format):
      "\(path) is not in \(format)'s format: unpack it, or pack it with \(format)"
    case .damagedPacking(let path, let format, let offset):
      "\(path) is damaged or cut off after \(offset) unpacked bytes (\(format)): copy or download it "
        + "again"
    case .documentTooLarge(let path, let limitBytes):
      "\(path) holds a text above \(limitBytes >> 20) MiB: split it into several files"
    case .tooMuchText(let path, let limitBytes):
      "\(path): there are more than \(limitBytes >> 30) GiB of text: give fewer files"
    case .tooFewWindows(
      let path, let asked, let found, let tokensPerWindow, let isRandom, let inARow):
      "\(path) holds \(found) windows of \(tokensPerWindow) tokens\(isRandom ? " within its texts" : "")"
        + ", and \(asked) are asked for: "
        + (isRandom && inARow >= asked
          ? "--sampling consecutive finds \(inARow), over short texts in a row; or lower --samples or "
            + "--sequence-length"
          : "lower --samples or --sequence-length, or give more text")
    case .tokenOutsideVocabulary(let token, let size):
      "the tokenizer gives the token id \(token), outside the model's vocabulary of \(size): "
        + "use the model's own tokenizer"
    case .noTokenizer(let folder):
      "\(folder) holds neither tokenizer.json nor tokenizer.model: copy the model's tokenizer there"
    case .noChatTemplate(let place, let folder):
      "\(place) is a conversation, and \(folder) has no chat template: put the model's "
        + "chat_template.jinja there, name one with --chat-template, or a field of text with --text-field"
    case .noDefaultChatTemplate(let folder, let names):
      "\(folder) has the chat templates \(names.joined(separator: ", ")) and none called default: name "
        + "a file with --chat-template"
    case .unreadableChatTemplate(let path, let reason):
      "\(path): its chat template cannot be read: \(reason): name another with --chat-template"
    case .refusedConversation(let place, let message):
      "\(place): the chat template refuses the conversation: \(message)"
    case .failedTemplate(let path, let place, let reason):
      "\(place): the chat template of \(path) fails: \(reason): correct the conversation, or name "
        + "another template with --chat-template"
    case .brokenConversation(let place, let reason):
      "\(place) is a conversation, but \(reason)"
    case .conversationWithoutTokenizerJSON(let place):
      "\(place) is a conversation, whose special tokens only a tokenizer.json knows: write one, by "
        + "save_pretrained of transformers' AutoTokenizer"
    }
  }

  private static func listed(_ names: [String]) -> String {
    names.isEmpty ? "" : " (there are \(names.joined(separator: ", ")))"
  }
}

/// Bounds on what is read.
public enum TextLimits {
  /// Largest single text: positions in it are 32-bit.
  public static let documentBytes = 1 << 30
  /// Most text of all files together that random sampling holds in memory.
  public static let textBytes = 16 << 30
  /// Deepest folder within a folder of texts.
  static let folderDepth = 32
  /// What is looked at to know what a file is; a zero byte there makes it a binary one.
  static let probeBytes = 8 << 10
  static let chunkBytes = 1 << 18
}
