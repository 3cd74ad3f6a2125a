import ChatTemplate
import Foundation
import TextData
import Tokenizer

/// What `make_golden.py` wrote.
struct Golden {
  /// A template of the language alone, and its text; nil where Jinja refuses it.
  struct Snippet {
    let template: [UInt8]
    let text: [UInt8]?
  }

  /// A conversation with a model's template.
  struct Case: CustomStringConvertible {
    let template: String
    let conversation: String
    let hasTools: Bool
    let hasPrompt: Bool
    let text: [UInt8]?
    /// What the template says against it; empty where Jinja itself refuses.
    let refusal: String?

    var description: String {
      "\(template), \(conversation)\(hasTools ? ", tools" : "")\(hasPrompt ? ", prompt" : "")"
    }
  }

  static func file(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: Bundle.module.bundleURL.appending(path: name)))
  }

  static func template(_ name: String) throws -> ChatTemplate {
    try ChatTemplate(try file("Templates/\(name).jinja"))
  }

  static func templateNames() throws -> [String] {
    let folder = Bundle.module.bundleURL.appending(path: "Templates").path
    return try FileManager.default.contentsOfDirectory(atPath: folder)
      .filter { $0.hasSuffix(".jinja") }.map { String($0.dropLast(6)) }.sorted()
  }

  private static func members(_ name: String) throws -> TemplateValue.Members {
    try members(of: try value(try file("Golden/\(name)")))
  }

  static func value(_ json: [UInt8]) throws -> TemplateValue {
    try json.withUnsafeBytes { bytes throws(TokenizerError) in
      var reader = JSONReader(bytes, path: "golden", form: .python)
      return try TemplateValue(&reader)
    }
  }

  struct Malformed: Error {}

  private static func members(of value: TemplateValue?) throws -> TemplateValue.Members {
    guard case .object(let members)? = value else { throw Malformed() }
    return members
  }

  private static func list(_ value: TemplateValue?) throws -> [TemplateValue] {
    guard case .list(let elements)? = value else { throw Malformed() }
    return elements
  }

  private static func text(_ value: TemplateValue?) -> [UInt8]? {
    guard case .text(let text)? = value else { return nil }
    return text
  }

  private static func name(_ value: TemplateValue?) throws -> String {
    guard let text = text(value) else { throw Malformed() }
    return String(decoding: text, as: UTF8.self)
  }

  typealias Variables = [(name: String, value: TemplateValue)]

  private static func variables(_ value: TemplateValue?) throws -> Variables {
    let members = try members(of: value)
    return zip(members.keys, members.values).map { (String(decoding: $0, as: UTF8.self), $1) }
  }

  static func snippets(
    _ name: String
  ) throws -> (variables: Variables, cases: [Snippet]) {
    let root = try members(name)
    let cases = try list(root["cases"]).map { value in
      let members = try members(of: value)
      return Snippet(template: text(members["template"]) ?? [], text: text(members["text"]))
    }
    return (try variables(root["variables"]), cases)
  }

  let cases: [Case]
  private let conversations: TemplateValue.Members
  private let tools: TemplateValue
  private let tokens: Variables

  init() throws {
    let root = try Golden.members("conversations.json")
    conversations = try Golden.members(of: root["conversations"])
    tools = .list(try Golden.list(root["tools"]))
    tokens = try Golden.variables(root["tokens"])
    cases = try Golden.list(root["cases"]).map { value in
      let members = try Golden.members(of: value)
      return Case(
        template: try Golden.name(members["template"]),
        conversation: try Golden.name(members["conversation"]),
        hasTools: members["tools"] == .bool(true), hasPrompt: members["prompt"] == .bool(true),
        text: Golden.text(members["text"]),
        refusal: Golden.text(members["refusal"]).map { String(decoding: $0, as: UTF8.self) })
    }
  }

  func variables(_ golden: Case) throws -> Variables {
    guard let messages = conversations[golden.conversation] else { throw Malformed() }
    return tokens + [
      ("messages", messages), ("tools", golden.hasTools ? tools : .null), ("documents", .null),
      ("add_generation_prompt", .bool(golden.hasPrompt)),
    ]
  }
}

/// What a template makes of variables, or what is said against it.
func outcome(_ template: [UInt8], _ variables: Golden.Variables = []) -> Result<
  [UInt8], ChatTemplateError
> {
  Result { () throws(ChatTemplateError) in try ChatTemplate(template).render(variables) }
}

extension Result<[UInt8], ChatTemplateError> {
  /// The text, for messages of tests.
  var told: String {
    switch self {
    case .success(let text): String(decoding: text, as: UTF8.self).debugDescription
    case .failure(let error): "refused: \(error)"
    }
  }
}
