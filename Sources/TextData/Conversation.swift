internal import ChatTemplate

/// The messages of a record of one of the usual forms, as a chat template takes them.
struct Conversation {
  /// Of objects, each with a `role`.
  let messages: [TemplateValue]
  /// JSON schemas of functions; null: none.
  let tools: TemplateValue

  /// Why a record of a conversation is none.
  struct Fault: Error { let reason: String }

  /// The fields that hold conversations, besides the one that the user names.
  static let fields = ["messages", "conversations", "conversation"]

  /// The columns of a table that hold conversations, or belong to them.
  ///
  /// - Returns: nil: there are none.
  static func fields(among names: [String]) -> Set<String>? {
    if let name = fields.first(where: names.contains) { return [name, "system"] }
    let instruction = ["instruction", "output"]
    return instruction.allSatisfy(names.contains)
      ? Set(instruction + ["input", "system"]) : nil
  }

  /// Reads
  /// - `messages` as OpenAI has them: a list of objects with `role` and `content`, taken as they are,
  ///   with `tools` beside them;
  /// - ShareGPT's `conversations`: `from` and `value`, with `system` beside them;
  /// - Alpaca's `instruction`, `input`, `output`: a user's message, in which the input is a line of
  ///   its own, and the answer, after `system` and the pairs of `history`.
  ///
  /// - Parameter field: where the user says that they are.
  /// - Returns: nil: it is a record of another kind.
  init?(_ record: TemplateValue.Members, field: String) throws(Fault) {
    for name in [field] + Conversation.fields {
      guard case .list(let turns)? = record[name] else { continue }
      // A field of the user's choice may hold anything.
      guard Conversation.fields.contains(name) || turns.allSatisfy({ $0.members != nil }) else {
        continue
      }
      messages = try Conversation.messages(turns, beside: record)
      tools = try Conversation.tools(record)
      return
    }
    guard let messages = try Conversation.instruction(record) else { return nil }
    self.messages = messages
    tools = .null
  }

  private static func tools(_ record: TemplateValue.Members) throws(Fault) -> TemplateValue {
    guard let tools = record["tools"], tools != .null else { return .null }
    guard case .list(let schemas) = tools, schemas.allSatisfy({ $0.members != nil }) else {
      throw Fault(reason: "\"tools\" is no list of objects")
    }
    return tools
  }

  private static func messages(
    _ turns: [TemplateValue], beside record: TemplateValue.Members
  ) throws(Fault) -> [TemplateValue] {
    var messages: [TemplateValue] = []
    var isShared = false
    for (index, turn) in turns.enumerated() {
      guard let members = turn.members else {
        throw Fault(reason: "its message \(index + 1) is no object")
      }
      if members["role"] != nil {
        messages.append(turn)
        continue
      }
      guard case .text(let name)? = members["from"], let value = members["value"] else {
        throw Fault(
          reason: "its message \(index + 1) has neither \"role\" nor \"from\" and \"value\"")
      }
      isShared = true
      let from = String(decoding: name, as: UTF8.self)
      guard let role = roles[from] else {
        throw Fault(
          reason: "its message \(index + 1) is from \"\(from)\", which is none of "
            + roles.keys.sorted().joined(separator: ", "))
      }
      messages.append(message(role, value))
    }
    let hasSystem = messages.first?.members?["role"] == .text("system")
    if isShared, !hasSystem, let system = text(record, "system"), !system.isEmpty {
      messages.insert(message("system", .text(system)), at: 0)
    }
    return messages
  }

  /// Who speaks in ShareGPT's conversations.
  private static let roles = [
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
    "chatgpt": "assistant", "system": "system", "tool": "tool", "observation": "tool",
  ]

  private static func instruction(
    _ record: TemplateValue.Members
  ) throws(Fault) -> [TemplateValue]? {
    guard let instruction = text(record, "instruction"), let output = text(record, "output") else {
      return nil
    }
    var messages: [TemplateValue] = []
    if let system = text(record, "system"), !system.isEmpty {
      messages.append(message("system", .text(system)))
    }
    if let history = record["history"], history != .null {
      guard case .list(let pairs) = history else {
        throw Fault(reason: "\"history\" is no list of pairs")
      }
      for pair in pairs {
        guard case .list(let texts) = pair, texts.count == 2,
          case .text = texts[0], case .text = texts[1]
        else { throw Fault(reason: "\"history\" is no list of pairs") }
        messages += [message("user", texts[0]), message("assistant", texts[1])]
      }
    }
    var question = instruction
    if let input = text(record, "input"), !input.isEmpty {
      question += [UInt8(ascii: "\n")] + input
    }
    return messages + [
      message("user", .text(question)), message("assistant", .text(output)),
    ]
  }

  private static func text(_ record: TemplateValue.Members, _ name: String) -> [UInt8]? {
    guard case .text(let text)? = record[name] else { return nil }
    return text
  }

  private static func message(_ role: String, _ content: TemplateValue) -> TemplateValue {
    .object(["role": .text(role), "content": content])
  }
}

extension TemplateValue {
  /// Those of an object.
  var members: Members? {
    guard case .object(let members) = self else { return nil }
    return members
  }
}
