/// How far a phase is, with rate and time left: one line that is drawn anew on a terminal, a line
/// every few seconds elsewhere.
struct ProgressMeter {
  private let label: String
  private let unit: String
  /// Units (tokens, shards) of the whole phase.
  private let total: Double
  private let start: ContinuousClock.Instant
  private var lastShown: ContinuousClock.Instant
  private let isTerminal: Bool
  private let isSilent: Bool

  static let terminalInterval = Duration.milliseconds(200)
  static let plainInterval = Duration.seconds(10)

  init(label: String, unit: String, total: Double, isSilent: Bool) {
    self.label = label
    self.unit = unit
    self.total = total
    self.isSilent = isSilent
    start = .now
    lastShown = start
    isTerminal = StandardError.isTerminal
  }

  /// - Parameter fraction: of the phase, 0…1.
  mutating func show(fraction: Double, workerCount: Int) {
    let interval = isTerminal ? ProgressMeter.terminalInterval : ProgressMeter.plainInterval
    guard !isSilent, .now - lastShown >= interval else { return }
    lastShown = .now
    write(line(fraction: fraction) + ", workers \(workerCount)", isLast: false)
  }

  func finish() {
    guard !isSilent else { return }
    let seconds = max(elapsedSeconds, 1e-9)
    write(
      "\(label): \(Int(total)) \(unit) in \(Format.seconds(seconds)), "
        + "\(Format.rate(total / seconds)) \(unit)/s", isLast: true)
  }

  private var elapsedSeconds: Double { (ContinuousClock.now - start) / .seconds(1) }

  private func line(fraction: Double) -> String {
    let percent = Int(fraction * 100)
    guard fraction > 0 else { return "\(label): \(percent) %" }
    let rate = Format.rate(total * fraction / max(elapsedSeconds, 1e-9))
    let left = Format.seconds(elapsedSeconds / fraction - elapsedSeconds)
    return "\(label): \(percent) %, \(rate) \(unit)/s, \(left) left"
  }

  private func write(_ line: String, isLast: Bool) {
    // On a terminal the line replaces the one before it.
    let text = isTerminal ? "\r\u{1B}[K" + line + (isLast ? "\n" : "") : line + "\n"
    StandardError.write(text)
  }
}
