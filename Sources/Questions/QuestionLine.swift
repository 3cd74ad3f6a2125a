internal import Tokenizer

/// Why a line holds no question; what to do.
public enum QuestionDefect: Error, Hashable, Sendable {
  /// At a byte of the line.
  case notJSON(offset: Int)
  case missing(field: String)
  case invalid(field: String, expected: String)
  /// Neither of both, or both.
  case contexts
  case tooFewChoices(count: Int)
  case empty(choice: Int)
  /// With several contexts there is one continuation.
  case continuations(count: Int)
  case gold(index: Int, choiceCount: Int)
}

extension QuestionDefect: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notJSON(let offset):
      "is not a JSON object at its byte \(offset): each line is one question"
    case .missing(let field): "has no field \"\(field)\""
    case .invalid(let field, let expected): "has a field \"\(field)\" that is not \(expected)"
    case .contexts: "needs either \"context\" or \"contexts\""
    case .tooFewChoices(let count):
      "has \(count == 0 ? "no choices" : "one choice"): a question has two or more"
    case .empty(let choice):
      "has an empty choice \(choice): nothing of it can be likely; give every choice a text"
    case .continuations(let count):
      "has \"contexts\" and \(count) \"choices\": with several contexts give the one text that "
        + "continues them"
    case .gold(let index, let count):
      "has gold \(index), and its choices are numbered 0 to \(count - 1)"
    }
  }
}

extension Question {
  /// Reads a line: `{"task", "id", "context" or "contexts", "choices", "gold"}`, and `"delimiter"`
  /// where it is not a space. With `"contexts"`, as WinoGrande has them, `"choices"` holds the one text
  /// that continues each. Other fields are passed over.
  ///
  /// - Parameter bytes: valid UTF-8.
  public init(line bytes: UnsafeRawBufferPointer) throws(QuestionDefect) {
    let fields = try QuestionFields(bytes)
    task = try fields.text("task")
    id = try fields.name("id")
    let delimiter = try fields.textIfPresent("delimiter") ?? " "
    let texts = try fields.texts("choices")
    guard !texts.isEmpty else { throw .tooFewChoices(count: 0) }
    switch (try fields.textIfPresent("context"), try fields.textsIfPresent("contexts")) {
    case (let context?, nil):
      choices = texts
      requests = texts.map { Request(context: context, continuation: delimiter + $0) }
    case (nil, let contexts?):
      guard texts.count == 1 else { throw .continuations(count: texts.count) }
      choices = contexts
      requests = contexts.map { Request(context: $0, continuation: delimiter + texts[0]) }
    default: throw .contexts
    }
    guard choices.count > 1 else { throw .tooFewChoices(count: choices.count) }
    for (index, choice) in choices.enumerated() where choice.isEmpty {
      throw .empty(choice: index)
    }
    if texts[0].isEmpty { throw .empty(choice: 0) }
    gold = try fields.gold(choiceCount: choices.count)
  }
}

/// The members of a line's object.
private struct QuestionFields {
  private let object: JSONValue

  init(_ bytes: UnsafeRawBufferPointer) throws(QuestionDefect) {
    let read = Result { () throws(TokenizerError) -> JSONValue in
      var reader = JSONReader(bytes, path: "", form: .python)
      let value = try reader.value()
      try reader.atEnd()
      return value
    }
    switch read {
    case .success(.object(let members)): object = .object(members)
    case .success: throw .notJSON(offset: 0)
    case .failure(.malformedJSON(_, let offset)): throw .notJSON(offset: offset)
    case .failure: throw .notJSON(offset: 0)
    }
  }

  /// nil where it is missing or null.
  private func value(_ field: String) -> JSONValue? {
    if case .null? = object[field] { nil } else { object[field] }
  }

  private func needed<Value>(_ field: String, _ value: Value?) throws(QuestionDefect) -> Value {
    guard let value else { throw .missing(field: field) }
    return value
  }

  func textIfPresent(_ field: String) throws(QuestionDefect) -> String? {
    guard let value = value(field) else { return nil }
    guard case .string(let text) = value else { throw .invalid(field: field, expected: "a text") }
    return text
  }

  func text(_ field: String) throws(QuestionDefect) -> String {
    let text = try needed(field, textIfPresent(field))
    guard !text.isEmpty else { throw .invalid(field: field, expected: "a text with words") }
    return text
  }

  /// A text or a whole number.
  func name(_ field: String) throws(QuestionDefect) -> String {
    if case .number(let number)? = value(field), let whole = Int(exactly: number) {
      return "\(whole)"
    }
    return try text(field)
  }

  func textsIfPresent(_ field: String) throws(QuestionDefect) -> [String]? {
    guard let value = value(field) else { return nil }
    guard case .array(let elements) = value else {
      throw .invalid(field: field, expected: "a list of texts")
    }
    var texts: [String] = []
    for element in elements {
      guard case .string(let text) = element else {
        throw .invalid(field: field, expected: "a list of texts")
      }
      texts.append(text)
    }
    return texts
  }

  func texts(_ field: String) throws(QuestionDefect) -> [String] {
    try needed(field, textsIfPresent(field))
  }

  /// One index, or a list of them.
  func gold(choiceCount: Int) throws(QuestionDefect) -> Set<Int> {
    let values: [JSONValue] =
      if case .array(let elements)? = value("gold") {
        elements
      } else {
        [try needed("gold", value("gold"))]
      }
    var gold: Set<Int> = []
    for value in values {
      guard case .number(let number) = value, let index = Int(exactly: number) else {
        throw .invalid(field: "gold", expected: "the number of a choice")
      }
      guard (0..<choiceCount).contains(index) else {
        throw .gold(index: index, choiceCount: choiceCount)
      }
      gold.insert(index)
    }
    guard !gold.isEmpty else { throw .missing(field: "gold") }
    return gold
  }
}
