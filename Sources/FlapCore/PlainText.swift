/// Foreign text, made fit for a log and a terminal: of one line, bounded, and nothing that a
/// terminal would act on. All else stays as it is.
public enum PlainText {
  /// Control and direction characters become blanks, the ends are trimmed, and what goes beyond
  /// `limit` Unicode scalars is cut.
  public static func line(_ text: String, limit: Int = 300) -> String {
    var scalars = String.UnicodeScalarView()
    var count = 0
    for scalar in text.unicodeScalars {
      let isBlank = scalar == " " || isUnprintable(scalar)
      if isBlank, scalars.isEmpty { continue }
      guard count < limit else {
        scalars.append("…")
        break
      }
      scalars.append(isBlank ? " " : scalar)
      count += 1
    }
    while scalars.last == " " { scalars.removeLast() }
    return String(scalars)
  }

  /// Bytes of a file, to be quoted in an error.
  public static func quotable(_ bytes: some Sequence<UInt8>) -> String {
    line(String(decoding: Array(bytes.prefix(1024)), as: UTF8.self), limit: 60)
  }

  /// A line of a program's output, with its blanks: what is not UTF-8, and control and direction
  /// characters, are replaced one by one.
  public static func outputLine(_ bytes: some Sequence<UInt8>) -> String {
    let text = String(decoding: Array(bytes), as: UTF8.self)
    guard text.unicodeScalars.contains(where: isUnprintable) else { return text }
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars { scalars.append(isUnprintable(scalar) ? " " : scalar) }
    return String(scalars)
  }

  /// Whether a terminal would act on it rather than show it.
  public static func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}
