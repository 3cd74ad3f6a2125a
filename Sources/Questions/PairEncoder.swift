public import Tokenizer

/// A context and its continuation as tokens.
public struct EncodedPair: Hashable, Sendable {
  /// What the model reads: all but the last token.
  public let input: [Int32]
  /// The tokens whose likelihood is asked for: predicted at the input's last positions.
  public let continuation: [Int32]
  /// Whether tokens of the context were left out.
  public let isTruncated: Bool

  /// - Precondition: the continuation has a token, and the input as many at least.
  public init(input: [Int32], continuation: [Int32], isTruncated: Bool = false) {
    precondition(!continuation.isEmpty && continuation.count <= input.count)
    self.input = input
    self.continuation = continuation
    self.isTruncated = isTruncated
  }

  /// The position of the token before the continuation's first.
  public var firstPosition: Int { input.count - continuation.count }
}

/// Why a pair cannot be asked.
public enum PairDefect: Error, Hashable, Sendable {
  /// There is no token that could stand before the continuation.
  case noPrefix
  /// Tokens of the context and those of both together are the same: no token is the continuation's.
  case noContinuation
  case continuationTooLong(tokenCount: Int, limit: Int)
}

extension PairDefect: CustomStringConvertible {
  public var description: String {
    switch self {
    case .noPrefix:
      "has an empty context, and the tokenizer no token of a beginning or end to stand there"
    case .noContinuation: "has a choice of which the tokenizer makes no token of its own"
    case .continuationTooLong(let count, let limit):
      "has a choice of \(count) tokens, more than the \(limit) that the model takes"
    }
  }
}

/// Turns contexts and continuations into tokens as lm-evaluation-harness does it
/// (`TemplateLM._encode_pair` and `loglikelihood`, `HFLM._loglikelihood_tokens`): the continuation is
/// what both together have beyond the tokens of the context alone.
public struct PairEncoder {
  private var encoder: TokenEncoder
  private let prefix: PrefixToken?
  private let positionCount: Int
  /// Choices of a question share their context.
  private var last: (context: String, tokens: [Int32])?

  /// - Parameters:
  ///   - prefix: nil: the tokenizer has none.
  ///   - positionCount: tokens that the model takes at once; of longer pairs the first are left out.
  public init(_ tokenizer: Tokenizer, prefix: PrefixToken?, positionCount: Int) {
    encoder = TokenEncoder(tokenizer)
    self.prefix = prefix
    self.positionCount = positionCount
  }

  public mutating func encode(_ request: Question.Request) throws(PairDefect) -> EncodedPair {
    let (context, continuation) = try tokens(of: request)
    guard !context.isEmpty else { throw .noPrefix }
    guard !continuation.isEmpty else { throw .noContinuation }
    guard continuation.count <= positionCount else {
      throw .continuationTooLong(tokenCount: continuation.count, limit: positionCount)
    }
    let whole = context + continuation
    return EncodedPair(
      input: Array(whole.suffix(positionCount + 1).dropLast()), continuation: continuation,
      isTruncated: whole.count > positionCount + 1)
  }

  private mutating func tokens(
    of request: Question.Request
  ) throws(PairDefect) -> (context: [Int32], continuation: [Int32]) {
    guard !request.context.isEmpty else {
      let continuation = encode(request.continuation, addingSpecialTokens: false)
      guard let prefix else { throw .noPrefix }
      // One that begins with it does not get it twice.
      return continuation.first == prefix.id
        ? ([prefix.id], Array(continuation.dropFirst())) : ([prefix.id], continuation)
    }
    // Spaces at the end go with the word that follows.
    let scalars = request.context.unicodeScalars
    let end = scalars.lastIndex { !$0.isPythonSpace }.map(scalars.index(after:))
    let context = String(scalars[..<(end ?? scalars.startIndex)])
    let whole = encode(request.context + request.continuation)
    return (tokens(ofContext: context), Array(whole.dropFirst(tokens(ofContext: context).count)))
  }

  private mutating func tokens(ofContext context: String) -> [Int32] {
    // Texts that are canonically equal may differ in their tokens.
    if let last, last.context.utf8.elementsEqual(context.utf8) { return last.tokens }
    let tokens = encode(context)
    last = (context, tokens)
    return tokens
  }

  /// With the special tokens of the tokenizer, unless the text begins with one.
  private mutating func encode(_ text: String) -> [Int32] {
    let begins = prefix.map { text.utf8.starts(with: $0.text.utf8) } ?? false
    return encode(text, addingSpecialTokens: !begins)
  }

  private mutating func encode(_ text: String, addingSpecialTokens: Bool) -> [Int32] {
    var text = text
    return text.withUTF8 { encoder.encode($0, addingSpecialTokens: addingSpecialTokens) }
  }
}

extension Unicode.Scalar {
  /// What Python's `str.rstrip` takes off: `str.isspace`.
  fileprivate var isPythonSpace: Bool {
    switch value {
    case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F,
      0x205F, 0x3000:
      true
    default: false
    }
  }
}
