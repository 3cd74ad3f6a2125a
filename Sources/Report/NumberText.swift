internal import Foundation

/// Numbers for people who read a page.
package enum NumberText {
  /// 1238656 → "1 238 656", with spaces that do not break.
  package static func exact(_ count: Int) -> String {
    let digits = String(count.magnitude)
    var text = count < 0 ? "−" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text += "\u{202F}" }
      text.append(digit)
    }
    return text
  }

  /// 1238656 → "1.24 M".
  package static func short(_ count: Int) -> String {
    let units: [(from: Double, factor: Double, name: String)] = [
      (1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e5, 1e6, "M"),
    ]
    for unit in units where Double(count.magnitude) >= unit.from {
      return decimal(Double(count) / unit.factor, digits: 2) + "\u{A0}" + unit.name
    }
    return exact(count)
  }

  package static func bytes(_ count: Int) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    var value = Double(count)
    var unit = 0
    while value >= 1024, unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    return (unit == 0 ? "\(count)" : decimal(value, digits: 1)) + "\u{A0}" + units[unit]
  }

  package static func percent(_ share: Double, digits: Int = 1) -> String {
    decimal(share * 100, digits: digits) + "\u{A0}%"
  }

  package static func seconds(_ seconds: Double) -> String {
    if seconds < 60 { return decimal(seconds, digits: 1) + "\u{A0}s" }
    let whole = Int(seconds.rounded())
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return whole < 3600
      ? "\(whole / 60):\(two(whole % 60))\u{A0}min"
      : "\(whole / 3600):\(two(whole / 60 % 60))\u{A0}h"
  }

  package static func rate(_ perSecond: Double) -> String {
    perSecond >= 100 ? exact(Int(perSecond.rounded())) : decimal(perSecond, digits: 1)
  }

  /// For text files: with an ordinary minus sign.
  package static func plain(_ value: Double, digits: Int) -> String {
    decimal(value, digits: digits).replacing("−", with: "-")
  }

  /// A true minus sign; never "−0.0".
  package static func decimal(_ value: Double, digits: Int) -> String {
    let text = String(format: "%.\(digits)f", value)
    guard text.hasPrefix("-") else { return text }
    let magnitude = text.dropFirst()
    return magnitude.contains { "123456789".contains($0) } ? "−" + magnitude : String(magnitude)
  }

  /// A coordinate of SVG: at most two decimals, no exponent, the same everywhere.
  package static func coordinate(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    if hundredths % 100 == 0 { return "\(hundredths / 100)" }
    let sign = hundredths < 0 ? "-" : ""
    let magnitude = Int(hundredths.magnitude)
    let cents = magnitude % 100
    return cents % 10 == 0
      ? "\(sign)\(magnitude / 100).\(cents / 10)"
      : "\(sign)\(magnitude / 100).\(cents < 10 ? "0" : "")\(cents)"
  }
}
