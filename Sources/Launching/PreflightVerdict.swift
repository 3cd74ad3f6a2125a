internal import FlapCore

/// What a host's preflight came to: none or all of its failures.
public struct PreflightVerdict: Hashable, Sendable {
  /// How the launched command ended.
  public enum Ending: Hashable, Sendable {
    case exited(code: Int32)
    case killed(signal: Int32)
    case timedOut(seconds: Int)
  }

  /// What launched the worker: it decides what an exit code means.
  public enum Launcher: Hashable, Sendable {
    case local
    case ssh
    case slurm
  }

  /// One line each: the host, what is wrong, what to do. Empty when all is well.
  public let failures: [String]
  /// Whether no flap-worker of this version could be run there.
  public let lacksWorker: Bool
  /// Whether the model there cannot be read.
  public let lacksModel: Bool
  /// What the hosts told; several with Slurm.
  public let reports: [PreflightReport]

  /// - Parameters:
  ///   - label: the host, as ``LaunchCommand/label`` has it.
  ///   - workerProgram: the program that was to run there.
  ///   - hostCount: hosts that the command stands for: with Slurm, nodes.
  public init(
    label: String, launcher: Launcher, workerProgram: String, ending: Ending,
    outputLines: [String], expectation: PreflightExpectation, hostCount: Int = 1
  ) {
    reports = PreflightReport.reports(in: outputLines)
    let host = PreflightHost(
      launcher: launcher, workerProgram: workerProgram,
      lastLine: PreflightVerdict.lastLine(outputLines), outputLines: outputLines,
      advice: expectation.workerAdvice)
    lacksModel = reports.contains { $0.modelError != nil }
    lacksWorker =
      reports.isEmpty
      ? host.lacksWorker(after: ending) : reports.contains(where: expectation.isOtherVersion)
    if launcher == .slurm {
      var failures = reports.flatMap { expectation.failures(of: $0, label: $0.host) }
      if reports.count < hostCount {
        let reason = host.reason(for: ending)
        failures.append(
          "\(label): \(hostCount - reports.count) of \(hostCount) nodes did not report: \(reason)")
      } else if failures.isEmpty, ending != .exited(code: 0) {
        failures.append("\(label): \(host.reason(for: ending))")
      }
      self.failures = failures
    } else if let report = reports.last {
      let failures = expectation.failures(of: report, label: label)
      self.failures =
        failures.isEmpty && ending != .exited(code: 0)
        ? ["\(label): \(host.reason(for: ending))"] : failures
    } else {
      failures = ["\(label): \(host.reason(for: ending))"]
    }
  }

  /// The last line with something in it that is no report.
  private static func lastLine(_ lines: [String]) -> String {
    let line = lines.last { line in
      !line.contains(PreflightReport.prefix) && !PlainText.line(line).isEmpty
    }
    return line.map { PlainText.line($0) } ?? ""
  }
}
