/// What is wrong with a tokenizer's file, where, and what to do.
public enum TokenizerError: Error, Hashable, Sendable {
  /// Not JSON (RFC 8259), or not the JSON that belongs there.
  case malformedJSON(path: String, offset: Int)
  /// A part of `tokenizer.json` that is missing, contradictory or of the wrong form.
  case malformedPart(path: String, part: String, reason: String)
  /// A kind of model, normalizer, pre-tokenizer, pattern or post-processor that is not known here.
  case unsupported(path: String, part: String, kind: String)
  /// Not a serialized `ModelProto` of SentencePiece.
  case malformedSentencePiece(path: String, reason: String)
}

extension TokenizerError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .malformedJSON(let path, let offset):
      "\(path) is not valid JSON at byte \(offset): copy or download it again"
    case .malformedPart(let path, let part, let reason):
      "\(path): \(part) \(reason): copy or download the tokenizer again"
    case .unsupported(let path, let part, let kind):
      "\(path): the \(part) \(TokenizerError.shortened(kind)) is not supported: tokenize with "
        + "the model's own library and give token ids as .npy"
    case .malformedSentencePiece(let path, let reason):
      "\(path) is not a SentencePiece model: \(reason): copy or download it again"
    }
  }

  /// One line of bounded length, whatever a file holds.
  private static func shortened(_ text: String) -> String {
    let line = text.unicodeScalars.prefix(120).map { scalar in
      scalar.value < 0x20 || scalar.value == 0x7F ? "?" : String(scalar)
    }.joined()
    return line.unicodeScalars.count < text.unicodeScalars.count ? line + "…" : line
  }
}
