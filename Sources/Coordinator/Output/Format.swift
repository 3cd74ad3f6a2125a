internal import Chronicle
internal import Foundation

/// Numbers for people.
enum Format {
  static func seconds(_ seconds: Double) -> String {
    if seconds < 60 { return String(format: "%.1f s", seconds) }
    let whole = Int(min(seconds, 1e12))
    return whole < 3600
      ? String(format: "%d:%02d min", whole / 60, whole % 60)
      : String(format: "%d:%02d h", whole / 3600, whole / 60 % 60)
  }

  /// "41 %, 2:10 min left, 15230 tokens/s", what matters most first, for a line may be cut; when all is computed, that results are stored.
  static func progress(_ progress: PhaseProgress, unit: String) -> String {
    if progress.isStoring { return "all computed, storing results" }
    var text = "\(progress.percent) %"
    if let left = progress.secondsLeft { text += ", \(Format.seconds(left)) left" }
    if let rate = progress.rate { text += ", \(Format.rate(rate)) \(unit)/s" }
    return text
  }

  static func rate(_ perSecond: Double) -> String {
    perSecond >= 100 ? String(format: "%.0f", perSecond) : String(format: "%.1f", perSecond)
  }

  static func bytes(_ count: Int) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    var value = Double(count)
    var unit = 0
    while value >= 1024, unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    return unit == 0 ? "\(count) B" : String(format: "%.1f %@", value, units[unit])
  }

  static func perplexity(_ value: Double) -> String { String(format: "%.4f", value) }

  static func predictedLoss(_ loss: Double) -> String {
    String(format: "predicted loss %.4f nats per token", loss)
  }

  static func percent(_ share: Double) -> String { String(format: "%.2f %%", share * 100) }

  static func count(_ count: Int) -> String {
    switch count {
    case 1_000_000_000...: String(format: "%.2f G", Double(count) / 1e9)
    case 100_000...: String(format: "%.2f M", Double(count) / 1e6)
    default: "\(count)"
    }
  }
}

extension Format {
  /// Right-aligned in so many characters.
  static func column(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }

  /// Without blanks at its end.
  static func trimmed(_ line: String) -> String {
    var line = Substring(line)
    while line.last == " " { line.removeLast() }
    return String(line)
  }

  /// Lines no longer than so many characters, as far as their words are; what goes on in another line is
  /// indented.
  ///
  /// - Parameter width: nil: any.
  static func wrapped(_ text: String, _ width: Int?) -> String {
    guard let width, width > indentation.count else { return text }
    return text.split(separator: "\n", omittingEmptySubsequences: false).map {
      wrapped(line: $0, width)
    }.joined(separator: "\n")
  }

  private static let indentation = "    "

  private static func wrapped(line: Substring, _ width: Int) -> String {
    guard line.count > width else { return String(line) }
    var lines: [String] = []
    var current = String(line.prefix { $0 == " " })
    var isEmpty = true
    for word in line.split(separator: " ") {
      let extended = current + (isEmpty ? "" : " ") + word
      if extended.count > width, !isEmpty {
        lines.append(current)
        current = indentation + word
      } else {
        current = extended
      }
      isEmpty = false
    }
    return (lines + [current]).joined(separator: "\n")
  }

  /// Left-aligned in so many characters.
  static func leading(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}
