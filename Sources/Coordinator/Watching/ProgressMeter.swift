internal import Chronicle
internal import Coordination
internal import Logging

/// How far a phase is, with rate and time left: on a terminal a few lines that are drawn anew, one
/// per worker; elsewhere a line every few seconds.
struct ProgressMeter {
  let label: String
  let unit: String
  /// Units (tokens, shards) of the whole phase.
  let total: Double
  private let start: ContinuousClock.Instant
  private var lastShown: ContinuousClock.Instant
  private let screen: Screen
  private let isSilent: Bool
  private let log: Logger
  /// Which of several things is at work, such as a ratio; nil: there is but one.
  private var item: String?
  /// Of the whole, what is measured next: a phase may come in several parts.
  private var span = (start: 0.0, end: 1.0)

  static let terminalInterval = Duration.milliseconds(200)
  static let plainInterval = Duration.seconds(10)
  /// Workers that are shown one by one.
  static let shownWorkers = 12

  init(
    label: String, unit: String, total: Double, screen: Screen, isSilent: Bool, log: Logger
  ) {
    self.label = label
    self.unit = unit
    self.total = total
    self.screen = screen
    self.isSilent = isSilent
    self.log = log
    start = .now
    lastShown = start
  }

  /// The same for a part of what this one is of, 0…1.
  ///
  /// - Parameter item: what is at work in it; nil: what is in the whole.
  func part(_ start: Double, _ end: Double, of item: String? = nil) -> ProgressMeter {
    var part = self
    part.item = item ?? self.item
    part.span = (whole(start), end < 1 ? whole(end) : span.end)
    return part
  }

  var isFirst: Bool { span.start == 0 }
  var isLast: Bool { span.end == 1 }

  /// Of the whole.
  ///
  /// - Parameter fraction: of the part.
  func whole(_ fraction: Double) -> Double { span.start + fraction * (span.end - span.start) }

  /// - Parameters:
  ///   - fraction: of the part that is measured, 0…1.
  mutating func show(
    fraction: @autoclosure () -> Double, workers: @autoclosure () -> [WorkerView],
    _ counters: RunCounters
  ) {
    let interval = screen.isTerminal ? ProgressMeter.terminalInterval : ProgressMeter.plainInterval
    guard !isSilent, .now - lastShown >= interval else { return }
    lastShown = .now
    let workers = workers()
    var line = self.line(fraction: whole(fraction())) + ", workers \(workers.count)"
    if counters.retries > 0 { line += ", retries \(counters.retries)" }
    if counters.losses > 0 { line += ", lost workers \(counters.losses)" }
    guard screen.isTerminal else { return log.info("\(line)") }
    screen.draw(
      [line] + workers.prefix(ProgressMeter.shownWorkers).map(ProgressMeter.line) + rest(workers))
  }

  mutating func finish() {
    guard !isSilent, total > 0, isLast else { return }
    let seconds = max(elapsedSeconds, 1e-9)
    screen.draw([])
    log.info(
      "\(label): \(Int(total)) \(unit) in \(Format.seconds(seconds)), \(Format.rate(total / seconds)) \(unit)/s"
    )
  }

  /// Parts for several things after one another, as long as they cost.
  ///
  /// - Parameter items: what each is called, and its cost against the others'.
  func parts(_ items: [(name: String?, cost: Double)]) -> [ProgressMeter] {
    let total = items.reduce(0) { $0 + $1.cost }
    var start = 0.0
    return items.enumerated().map { index, item in
      let end = index == items.count - 1 ? 1 : start + item.cost / total
      defer { start = end }
      return part(start, end, of: item.name)
    }
  }

  var elapsedSeconds: Double { (ContinuousClock.now - start) / .seconds(1) }

  private func line(fraction: Double) -> String {
    let progress = PhaseProgress(
      total: total, fraction: fraction, elapsedSeconds: elapsedSeconds)
    let name = item.map { "\(label) (\($0))" } ?? label
    return "\(name): \(Format.progress(progress, unit: unit))"
  }

  private static func line(_ worker: WorkerView) -> String {
    let state = worker.task.map { "\($0), \(Int(worker.fraction * 100)) %" } ?? "idle"
    let seconds = Int(worker.silence.seconds)
    let silence = seconds > 3 ? ", no heartbeat for \(seconds) s" : ""
    return "  \(worker.host) × \(worker.threadCount): \(state), done \(worker.completedTaskCount), "
      + Format.bytes(worker.residentBytes) + silence
  }

  private func rest(_ workers: [WorkerView]) -> [String] {
    let hidden = workers.dropFirst(ProgressMeter.shownWorkers)
    guard !hidden.isEmpty else { return [] }
    let busy = hidden.count { $0.task != nil }
    return ["  and \(hidden.count) more, \(busy) of them busy"]
  }
}
