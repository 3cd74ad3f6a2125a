/// Numbers as Python writes and divides them.
enum PythonNumber {
  /// `repr(float)`: the shortest digits that give the number back, with an exponent below 1e-4 and
  /// from 1e16 on.
  static func text(_ number: Double) -> String {
    guard number.isFinite else { return number.isNaN ? "nan" : number < 0 ? "-inf" : "inf" }
    let sign = number.sign == .minus ? "-" : ""
    var digits: [Character] = []
    var exponent = 0
    var isFraction = false
    let parts = number.magnitude.description.split(separator: "e")
    for character in parts[0] {
      if character == "." {
        isFraction = true
      } else {
        digits.append(character)
        if !isFraction { exponent += 1 }
      }
    }
    if parts.count == 2 { exponent += Int(parts[1]) ?? 0 }
    // The number is 0.digits · 10^exponent.
    while digits.count > 1, digits.first == "0" {
      digits.removeFirst()
      exponent -= 1
    }
    while digits.count > 1, digits.last == "0" { digits.removeLast() }
    if digits == ["0"] { return sign + "0.0" }
    let point = exponent
    if point > 16 || point < -3 {
      let mantissa =
        digits.count == 1
        ? String(digits) : String(digits[0]) + "." + String(digits[1...])
      let power = point - 1
      return "\(sign)\(mantissa)e\(power < 0 ? "-" : "+")\(abs(power) < 10 ? "0" : "")\(abs(power))"
    }
    if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + String(digits) }
    if point >= digits.count {
      return sign + String(digits) + String(repeating: "0", count: point - digits.count) + ".0"
    }
    return sign + String(digits[..<point]) + "." + String(digits[point...])
  }

  /// `//` of ints, by a divisor that is not 0; nil: too large.
  static func floorDivide(_ left: Int, _ right: Int) -> Int? {
    let (quotient, overflows) = left.dividedReportingOverflow(by: right)
    guard !overflows else { return nil }
    return left % right != 0 && (left < 0) != (right < 0) ? quotient - 1 : quotient
  }

  /// `%` of ints, with the sign of the divisor, which is not 0.
  static func modulo(_ left: Int, _ right: Int) -> Int {
    guard right != -1 else { return 0 }
    let rest = left % right
    return rest != 0 && (rest < 0) != (right < 0) ? rest + right : rest
  }

  static func modulo(_ left: Double, _ right: Double) -> Double {
    let rest = left.truncatingRemainder(dividingBy: right)
    if rest == 0 { return Double(signOf: right, magnitudeOf: 0) }
    return (rest < 0) != (right < 0) ? rest + right : rest
  }
}
