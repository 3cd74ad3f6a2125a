/// A statement of a template.
struct Statement: Sendable {
  indirect enum Kind: Sendable {
    case data([UInt8])
    case output(Expression)
    case condition([(test: Expression, body: [Statement])], otherwise: [Statement])
    case loop(Loop)
    case assignment(Target, Expression)
    /// `{% set x | filter %}…{% endset %}`.
    case blockAssignment(Target, filter: Expression?, body: [Statement])
    case macro(Macro)
    /// `{% call(parameters) macro(…) %}…{% endcall %}`.
    case call(Macro, Expression)
    case filtered(Expression, body: [Statement])
    case with([(Target, Expression)], body: [Statement])
    /// transformers' `{% generation %}`, which marks what the assistant says.
    case generation([Statement])
    case breakLoop
    case continueLoop
  }

  struct Loop: Sendable {
    let target: Target
    let sequence: Expression
    let filter: Expression?
    let body: [Statement]
    let otherwise: [Statement]
  }

  let kind: Kind
  let line: Int
}

/// What a value is assigned to.
indirect enum Target: Sendable {
  case name(NameTable.ID)
  case tuple([Target])
  /// An attribute of a namespace.
  case member(NameTable.ID, String)
}

struct Macro: Sendable {
  struct Parameter: Sendable {
    let name: NameTable.ID
    let text: String
    let usual: Expression?
  }

  let name: String
  let parameters: [Parameter]
  let body: [Statement]
}

/// Numbers for names.
struct NameTable: Sendable {
  typealias ID = Int

  private(set) var texts: [String] = []
  private var ids: [String: ID] = [:]

  mutating func id(of text: String) -> ID {
    if let id = ids[text] { return id }
    ids[text] = texts.count
    texts.append(text)
    return texts.count - 1
  }

  func existingID(of text: String) -> ID? { ids[text] }
}
