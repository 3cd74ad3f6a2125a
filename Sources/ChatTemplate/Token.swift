/// A piece of a template's source.
struct Token: Hashable, Sendable {
  enum Kind: Hashable, Sendable {
    /// Text between the marks, as it is rendered.
    case data([UInt8])
    case variableBegin, variableEnd, blockBegin, blockEnd
    case name(String)
    case string([UInt8])
    case integer(Int)
    case float(Double)
    case sign(Sign)
    case end
  }

  enum Sign: String, Sendable, CaseIterable {
    case floorDivide = "//"
    case power = "**"
    case equal = "=="
    case notEqual = "!="
    case greaterOrEqual = ">="
    case lessOrEqual = "<="
    case add = "+"
    case subtract = "-"
    case divide = "/"
    case multiply = "*"
    case modulo = "%"
    case tilde = "~"
    case leftBracket = "["
    case rightBracket = "]"
    case leftParenthesis = "("
    case rightParenthesis = ")"
    case leftBrace = "{"
    case rightBrace = "}"
    case greater = ">"
    case less = "<"
    case assign = "="
    case dot = "."
    case colon = ":"
    case pipe = "|"
    case comma = ","
    case semicolon = ";"
  }

  let kind: Kind
  let line: Int
}

extension Token: CustomStringConvertible {
  /// What errors call it.
  var description: String {
    switch kind {
    case .data: "text"
    case .variableBegin: "{{"
    case .variableEnd: "}}"
    case .blockBegin: "{%"
    case .blockEnd: "%}"
    case .name(let name): name
    case .string: "a string"
    case .integer(let number): "\(number)"
    case .float(let number): "\(number)"
    case .sign(let sign): sign.rawValue
    case .end: "the end of the template"
    }
  }
}
