internal import Chronicle
internal import Coordination
internal import Foundation
internal import Host
internal import Logging
internal import SystemPackage
internal import Transport

/// What those who watch a run get: the output of its hosts, what happens, and metrics.
struct RunWatch {
  private let log: Logger
  private var hostLogs: HostLogs?
  private let metrics: MetricsServer?
  private let chronicle: Chronicle
  /// Anybody with a ticket may say hello, as often as he likes.
  private var refusedHellos = RefusalLines(of: nil)
  private var nextUpdate = ContinuousClock.now

  /// How old what is shown may be.
  private static let interval = Duration.milliseconds(500)

  /// - Parameter logFolder: nil where the hosts' output is shown only.
  init(_ options: ClusterOptions, _ console: Console, logFolder: FilePath?, _ chronicle: Chronicle)
    throws
  {
    log = console.log
    hostLogs = logFolder.map { HostLogs(folder: $0) }
    metrics = try options.metrics.map { try MetricsServer(address: $0) }
    self.chronicle = chronicle
    if let metrics { log.info("metrics at http://\(metrics.address)/metrics") }
  }

  /// A line that a worker, or the ssh that stands for it, has printed.
  mutating func tell(_ line: String, of label: String) {
    log.notice("[\(label)] \(line)")
    hostLogs?.append(line, of: label)
  }

  mutating func note(_ event: Coordination.LogEvent) {
    if event.isRefusal {
      refusedHellos.note(Refusal(address: "", reason: .unfitWorker("\(event)")))
      tellRefusals()
    } else {
      log.log(level: event.isWarning ? .warning : .debug, "\(event)")
    }
    chronicle.note(event, at: .now)
  }

  /// Says who was turned away, in few lines however many those are.
  mutating func tellRefusals() {
    for line in refusedHellos.take() { log.warning("\(line)") }
  }

  func note(_ kind: RunEvent.Kind, host: String? = nil, reason: String? = nil) {
    var event = RunEvent(kind, at: .now)
    (event.host, event.reason) = (host, reason)
    chronicle.note(event)
  }

  func begin(_ meter: borrowing ProgressMeter, taskCount: Int) {
    var event = RunEvent(.phaseBegun, at: .now)
    (event.phase, event.unit, event.units) = (meter.label, meter.unit, meter.total)
    event.tasks = taskCount
    chronicle.note(event)
  }

  func end(_ meter: borrowing ProgressMeter, seconds: Double) {
    var event = RunEvent(.phaseEnded, at: .now)
    (event.phase, event.seconds) = (meter.label, seconds)
    event.tasks = chronicle.story.phase?.tasks
    chronicle.note(event)
  }

  /// - Parameter fraction: asked for only when it is told.
  mutating func update(
    _ machine: CoordinatorMachine, phase: String, fraction: @autoclosure () -> Double
  ) {
    guard nextUpdate <= .now else { return }
    nextUpdate = .now + RunWatch.interval
    let fraction = fraction()
    let views = machine.views(at: .now)
    var event = RunEvent(.progress, at: .now)
    (event.phase, event.fraction, event.done) = (phase, fraction, chronicle.story.phase?.done)
    event.workers = views.map(RunStory.Worker.init)
    chronicle.note(progress: event)
    metrics?.serve(
      MetricsText.make(phase: phase, fraction: fraction, machine.counters, views), chronicle.story)
  }
}

extension RunStory.Worker {
  init(_ view: WorkerView) {
    self.init(
      worker: "\(view.id)", host: view.host, process: view.processID,
      done: view.completedTaskCount)
    threads = view.threadCount
    attempt = view.attempt.map { "\($0)" }
    task = view.task
    fraction = view.task == nil ? nil : view.fraction
    bytes = view.residentBytes
    silence = view.silence.seconds
  }
}
