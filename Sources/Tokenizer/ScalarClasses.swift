/// What the split patterns ask of a scalar: `\p{L}`, `\p{N}`, `\s`.
///
/// Scalars that Unicode got after 16.0 count as unassigned, as in the Oniguruma of the `tokenizers`
/// package: otherwise a newer Swift would give other tokens.
package struct ScalarClasses: Sendable {
  static let letter: UInt8 = 1
  static let number: UInt8 = 2
  static let space: UInt8 = 4
  /// Carriage return and line feed, which are spaces too.
  package static let newline: UInt8 = 8
  static let newestUnicode = (major: 16, minor: 0)

  /// Letters, numbers and spaces all lie below U+33480.
  private static let end: UInt32 = 0x33480
  private let classes: [UInt8]

  package init() {
    classes = (0..<ScalarClasses.end).map { value in
      guard let scalar = Unicode.Scalar(value) else { return 0 }
      return ScalarClasses.classes(of: scalar.properties)
        | (value == 0x0A || value == 0x0D ? ScalarClasses.newline : 0)
    }
  }

  @inline(__always)
  package subscript(value: UInt32) -> UInt8 { value < ScalarClasses.end ? classes[Int(value)] : 0 }

  private static func classes(of properties: Unicode.Scalar.Properties) -> UInt8 {
    guard let age = properties.age, age <= newestUnicode else { return 0 }
    if properties.isWhitespace { return space }
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      return letter
    case .decimalNumber, .letterNumber, .otherNumber: return number
    default: return 0
    }
  }
}
