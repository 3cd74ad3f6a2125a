/// The day that `strftime_now` gives: one and the same for ever, or else the statistics of a model
/// would depend on the day on which they were made.
///
/// It is 26 July 2024, 0:00, the date which the templates of Llama 3.1 and 3.2 name where they are
/// given none.
public enum TemplateDate {
  static let year = 2024

  /// `datetime.strftime` of that day, in the C locale.
  ///
  /// - Returns: nil for a directive that is not known.
  static func text(_ format: [UInt8]) -> [UInt8]? {
    var text: [UInt8] = []
    var index = 0
    while index < format.count {
      guard format[index] == UInt8(ascii: "%"), index + 1 < format.count else {
        text.append(format[index])
        index += 1
        continue
      }
      let isShort = format[index + 1] == UInt8(ascii: "-")
      if isShort { index += 1 }
      guard index + 1 < format.count, let field = field(format[index + 1]) else { return nil }
      text +=
        (isShort && field.count > 1 && field.first == "0" ? String(field.dropFirst()) : field)
        .utf8
      index += 2
    }
    return text
  }

  private static func field(_ directive: UInt8) -> String? {
    switch Character(Unicode.Scalar(directive)) {
    case "d", "e": "26"
    case "m": "07"
    case "B": "July"
    case "b", "h": "Jul"
    case "Y": "\(year)"
    case "y": "24"
    case "A": "Friday"
    case "a": "Fri"
    case "w", "u": "5"
    case "j": "208"
    case "H", "M", "S": "00"
    case "I": "12"
    case "p": "AM"
    case "f": "000000"
    case "F": "2024-07-26"
    case "T", "X": "00:00:00"
    case "D", "x": "07/26/24"
    case "R": "00:00"
    case "c": "Fri Jul 26 00:00:00 2024"
    case "z", "Z": ""
    case "%": "%"
    default: nil
    }
  }
}
