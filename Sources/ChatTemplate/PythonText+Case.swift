/// Upper and lower case as Python's `str` has them: Unicode's full mappings.
extension PythonText {
  private static func mapped(
    _ text: [UInt8], _ map: (Unicode.Scalar) -> String
  ) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
      result += map(scalar).utf8
    }
    return result
  }

  static func uppercased(_ text: [UInt8]) -> [UInt8] {
    mapped(text) { $0.properties.uppercaseMapping }
  }

  static func lowercased(_ text: [UInt8]) -> [UInt8] {
    guard text.contains(0xCE) else { return mapped(text) { $0.properties.lowercaseMapping } }
    let scalars = Array(String(decoding: text, as: UTF8.self).unicodeScalars)
    var result: [UInt8] = []
    for (index, scalar) in scalars.enumerated() {
      let isFinal = scalar == "Σ" && isFinalSigma(scalars, index)
      result += isFinal ? Array("ς".utf8) : Array(scalar.properties.lowercaseMapping.utf8)
    }
    return result
  }

  /// Unicode's Final_Sigma: after a letter with case, before none.
  private static func isFinalSigma(_ scalars: [Unicode.Scalar], _ index: Int) -> Bool {
    let before = scalars[..<index].last { !$0.properties.isCaseIgnorable }
    let after = scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }
    return before?.properties.isCased == true && after?.properties.isCased != true
  }

  static func capitalized(_ text: [UInt8]) -> [UInt8] {
    guard let first = text.first else { return [] }
    let end = width(first)
    return mapped(Array(text[..<end])) { $0.properties.titlecaseMapping }
      + lowercased(Array(text[end...]))
  }

  /// `str.title`: of each row of letters the first one is upper case.
  static func titled(_ text: [UInt8]) -> [UInt8] {
    var isWithin = false
    return mapped(text) { scalar in
      defer { isWithin = scalar.properties.isCased }
      return isWithin ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
    }
  }

  /// Jinja's filter `title`, which begins words after white space and `-({[<` only.
  static func filterTitled(_ text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var word: [UInt8] = []
    for character in characters(text) {
      let isMark = character.count == 1 && "-({[<".utf8.contains(character.first!)
      guard isMark || isWhitespace(scalar(character, at: character.startIndex)) else {
        word += character
        continue
      }
      result += filterTitledWord(word) + character
      word = []
    }
    return result + filterTitledWord(word)
  }

  private static func filterTitledWord(_ word: [UInt8]) -> [UInt8] {
    guard let first = word.first else { return [] }
    let end = width(first)
    return uppercased(Array(word[..<end])) + lowercased(Array(word[end...]))
  }

  /// `str.isupper`, `islower`: some letters, and none of the other case.
  static func isCased(_ text: [UInt8], upper: Bool) -> Bool {
    var found = false
    for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
      let properties = scalar.properties
      if properties.generalCategory == .titlecaseLetter { return false }
      if upper ? properties.isLowercase : properties.isUppercase { return false }
      if upper ? properties.isUppercase : properties.isLowercase { found = true }
    }
    return found
  }
}
