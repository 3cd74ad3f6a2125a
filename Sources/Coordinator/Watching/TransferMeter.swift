internal import Logging

/// How far bytes are on their way to hosts: a line that is drawn anew on a terminal, elsewhere one
/// every few seconds.
struct TransferMeter {
  private let label: String
  private let screen: Screen
  private let isSilent: Bool
  private let log: Logger
  private let start = ContinuousClock.now
  private var lastShown = ContinuousClock.now

  init(label: String, screen: Screen, isSilent: Bool, log: Logger) {
    self.label = label
    self.screen = screen
    self.isSilent = isSilent
    self.log = log
  }

  /// - Parameters:
  ///   - sent: bytes of this run.
  ///   - skipped: bytes that were there before.
  ///   - total: bytes of all.
  mutating func show(sent: Int, skipped: Int, of total: Int) {
    let interval = screen.isTerminal ? ProgressMeter.terminalInterval : ProgressMeter.plainInterval
    guard !isSilent, sent > 0, .now - lastShown >= interval else { return }
    lastShown = .now
    let seconds = max(elapsedSeconds, 1e-9)
    let left = Format.seconds(Double(total - skipped - sent) / Double(sent) * seconds)
    let line =
      "copying \(label): \((sent + skipped) * 100 / max(total, 1)) %, \(left) left, "
      + "\(Format.bytes(sent + skipped)) of \(Format.bytes(total)), "
      + "\(Format.bytes(Int(Double(sent) / seconds)))/s"
    if screen.isTerminal { screen.draw([line]) } else { log.info("\(line)") }
  }

  func finish(sent: Int, skipped: Int, hostCount: Int) {
    guard !isSilent else { return }
    screen.draw([])
    let hosts = hostCount == 1 ? "1 host" : "\(hostCount) hosts"
    guard sent > 0 else { return log.info("copying \(label): \(hosts), nothing to copy") }
    let were = skipped > 0 ? ", \(Format.bytes(skipped)) were there" : ""
    log.info(
      """
      copying \(label): \(hosts), \(Format.bytes(sent)) in \(Format.seconds(elapsedSeconds)), \
      \(Format.bytes(Int(Double(sent) / max(elapsedSeconds, 1e-9))))/s\(were)
      """)
  }

  private var elapsedSeconds: Double { (ContinuousClock.now - start) / .seconds(1) }
}
