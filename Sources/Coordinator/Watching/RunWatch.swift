internal import Coordination
internal import Host
internal import Logging
internal import SystemPackage

/// What those who watch a run get: the output of its hosts, and metrics.
struct RunWatch {
  private let log: Logger
  private var hostLogs: HostLogs?
  private let metrics: MetricsServer?

  /// - Parameter logFolder: nil where the hosts' output is shown only.
  init(_ options: ClusterOptions, _ console: Console, logFolder: FilePath?) throws {
    log = console.log
    hostLogs = logFolder.map { HostLogs(folder: $0) }
    metrics = try options.metrics.map { try MetricsServer(address: $0) }
    if let metrics { log.info("metrics at http://\(metrics.address)/metrics") }
  }

  /// A line that a worker, or the ssh that stands for it, has printed.
  mutating func tell(_ line: String, of label: String) {
    log.notice("[\(label)] \(line)")
    hostLogs?.append(line, of: label)
  }

  func update(_ machine: CoordinatorMachine, phase: String, fraction: Double) {
    metrics?.update {
      MetricsText.make(
        phase: phase, fraction: fraction, machine.counters, machine.views(at: .now))
    }
  }
}
