package import ChatTemplate
package import Tokenizer

extension TemplateValue {
  /// Deepest nesting that is followed.
  private static let depthLimit = 64

  /// Reads a whole value as Python's `json` does: members in their order, 1 apart from 1.0.
  ///
  /// - Parameter reader: of the form `python`.
  package init(_ reader: inout JSONReader, depth: Int = 0) throws(TokenizerError) {
    guard depth < TemplateValue.depthLimit else { throw reader.failure }
    switch try reader.next() {
    case UInt8(ascii: "{"):
      var members = Members()
      try reader.object { reader, key throws(TokenizerError) in
        members.set(try TemplateValue(&reader, depth: depth + 1), for: key)
      }
      self = .object(members)
    case UInt8(ascii: "["):
      var elements: [TemplateValue] = []
      try reader.array { reader throws(TokenizerError) in
        elements.append(try TemplateValue(&reader, depth: depth + 1))
      }
      self = .list(elements)
    case UInt8(ascii: "\""):
      try reader.readString()
      self = .text(reader.text)
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
      if reader.follows("-I") {
        _ = try reader.value()
        self = .number(-.infinity)
        return
      }
      let text = try reader.numberText()
      if let number = Int(text) {
        self = .integer(number)
      } else if let number = Double(text), text.contains(where: { ".eE".contains($0) }) {
        self = .number(number)
      } else {
        throw reader.failure
      }
    case UInt8(ascii: "N"):
      _ = try reader.value()
      self = .number(.nan)
    case UInt8(ascii: "I"):
      _ = try reader.value()
      self = .number(.infinity)
    default:
      switch try reader.value() {
      case .bool(let flag): self = .bool(flag)
      case .null: self = .null
      default: throw reader.failure
      }
    }
  }
}
