import FlapCore
import Launching
import Testing

struct PreflightVerdictTests {
  typealias Ending = PreflightVerdict.Ending

  private let expectation = PreflightExpectation(
    softwareVersion: "0.1.0", protocolVersion: 1,
    modelDigest: Digest(hexadecimal: PreflightReportTests.digest)!)

  private func failures(
    _ ending: Ending, _ lines: [String], launcher: PreflightVerdict.Launcher = .ssh,
    hostCount: Int = 1
  ) -> [String] {
    PreflightVerdict(
      label: "node1", launcher: launcher, workerProgram: "/opt/flap-worker", ending: ending,
      outputLines: lines, expectation: expectation, hostCount: hostCount
    ).failures
  }

  @Test("a host that could work has no failures")
  func good() {
    #expect(failures(.exited(code: 0), ["Welcome!", PreflightReportTests.report().line]).isEmpty)
  }

  static let unreportedCases: [(ending: Ending, lines: [String], says: [String])] = [
    (
      .exited(code: 255), ["ssh: connect to host node1 port 22: No route to host", " \r"],
      ["could not connect (ssh: connect to host node1 port 22: No route to host)", "name and port"]
    ),
    (
      .exited(code: 255),
      ["No ED25519 host key is known for node1 …", "Host key verification failed."],
      ["host key is not known", "connect once by hand", "known_hosts"]
    ),
    (
      .exited(code: 255),
      ["@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", "Host key verification failed."],
      ["may be an attack", "ssh-keygen -R"]
    ),
    (
      .exited(code: 255), ["bob@node1: Permission denied (publickey)."],
      ["refused (bob@node1: Permission denied (publickey).)", "ssh-copy-id"]
    ),
    (
      .exited(code: 127), ["sh: 1: exec: /opt/flap-worker: not found"],
      ["/opt/flap-worker is missing", "worker=/path", "not found"]
    ),
    (.exited(code: 126), ["Permission denied"], ["chmod +x", "worker=/path"]),
    (
      .exited(code: 64), ["Error: Unknown option '--preflight'"], ["same version", "'--preflight'"]
    ),
    (.exited(code: 0), ["hello"], ["no report", "(hello)"]),
    (.exited(code: 0), ["flap-preflight {}"], ["no report"]),
    (.exited(code: 3), [], ["exited with code 3: run"]),
    (.killed(signal: 9), [], ["signal 9", "memory"]),
    (.timedOut(seconds: 30), [], ["within 30 s", "ssh reaches it"]),
    (.exited(code: 1), ["\u{1B}[2Jbad"], ["([2Jbad)"]),
  ]

  @Test("hosts that did not report", arguments: unreportedCases.indices)
  func unreported(index: Int) throws {
    let (ending, lines, says) = Self.unreportedCases[index]
    let found = failures(ending, lines)
    #expect(found.count == 1)
    let line = try #require(found.first)
    #expect(line.hasPrefix("node1: "))
    for phrase in says { #expect(line.contains(phrase), "\(line)") }
    #expect(!line.unicodeScalars.contains { $0.properties.generalCategory == .control })
    #expect(line.utf8.count < 800)
  }

  static let reportedCases: [(report: PreflightReport, says: [String])] = [
    (
      PreflightReportTests.report(softwareVersion: "0.2.0"),
      ["version 0.2.0 (protocol 1)", "is 0.1.0", "same version"]
    ),
    (PreflightReportTests.report(protocolVersion: 2), ["(protocol 2)", "same version"]),
    (
      PreflightReportTests.report(modelError: "/m/config.json is missing"),
      ["cannot be read: /m/config.json is missing", "model=/path"]
    ),
    (
      PreflightReportTests.report(digest: String(repeating: "0", count: 64)),
      ["another one (digest 000000000000…, here abababababab…)", "model=/path"]
    ),
    (
      PreflightReportTests.report(endpointError: "connection refused"),
      ["reach this flap-coord: connection refused", "--listen", "firewalls"]
    ),
  ]

  @Test("hosts that reported a failure", arguments: reportedCases.indices, [0, 1])
  func reported(index: Int, code: Int32) throws {
    let (report, says) = Self.reportedCases[index]
    let found = failures(.exited(code: code), [report.line])
    #expect(found.count == 1)
    let line = try #require(found.first)
    #expect(line.hasPrefix("node1: "))
    for phrase in says { #expect(line.contains(phrase), "\(line)") }
  }

  private func verdict(
    _ ending: Ending, _ reports: [PreflightReport], advice: String? = nil
  ) -> PreflightVerdict {
    var expectation = expectation
    expectation.workerAdvice = advice
    expectation.modelAdvice = advice
    return PreflightVerdict(
      label: "node1", launcher: .ssh, workerProgram: "/opt/flap-worker", ending: ending,
      outputLines: reports.map(\.line), expectation: expectation)
  }

  @Test("what could be copied to a host is told apart from what else is wrong")
  func lacks() {
    let missing = verdict(.exited(code: 127), [])
    #expect(missing.lacksWorker && !missing.lacksModel)
    let other = verdict(.exited(code: 0), [PreflightReportTests.report(protocolVersion: 2)])
    #expect(other.lacksWorker && !other.lacksModel)
    let torn = verdict(.exited(code: 0), [PreflightReportTests.report(modelError: "torn")])
    #expect(!torn.lacksWorker && torn.lacksModel)
    // Another model is nobody's to be overwritten.
    let digest = String(repeating: "0", count: 64)
    for verdict in [
      verdict(.exited(code: 255), []), verdict(.killed(signal: 9), []),
      verdict(.timedOut(seconds: 1), []),
      verdict(.exited(code: 0), [PreflightReportTests.report(digest: digest)]),
      verdict(.exited(code: 0), [PreflightReportTests.report(endpointError: "refused")]),
    ] {
      #expect(!verdict.lacksWorker && !verdict.lacksModel)
    }
  }

  @Test("what else helps stands at the end of the line")
  func advice() {
    for verdict in [
      verdict(.exited(code: 127), [], advice: "try that"),
      verdict(
        .exited(code: 0), [PreflightReportTests.report(softwareVersion: "0.2.0")],
        advice: "try that"),
      verdict(
        .exited(code: 0), [PreflightReportTests.report(modelError: "torn")], advice: "try that"),
    ] {
      #expect(verdict.failures.count == 1)
      #expect(verdict.failures.first?.hasSuffix("=/path; try that") == true)
    }
  }

  @Test("all failures of a host are told at once")
  func together() {
    let report = PreflightReportTests.report(
      softwareVersion: "9", modelError: "torn", endpointError: "refused")
    #expect(failures(.exited(code: 1), [report.line]).count == 3)
  }

  @Test("a good report of a worker that then failed is not enough")
  func failedLater() {
    let line = PreflightReportTests.report().line
    #expect(failures(.killed(signal: 11), [line]).count == 1)
    #expect(failures(.timedOut(seconds: 5), [line]).count == 1)
  }

  @Test("with srun, nodes that did not report are counted")
  func slurm() {
    let lines = ["0", "1"].map { $0 + ": " + PreflightReportTests.report().line }
    #expect(failures(.exited(code: 0), lines, launcher: .slurm, hostCount: 2).isEmpty)
    let missing = failures(
      .exited(code: 2),
      lines + ["slurmstepd: error: execve(): /opt/flap-worker: No such file or directory"],
      launcher: .slurm, hostCount: 3)
    #expect(missing.count == 1)
    #expect(missing.first?.contains("1 of 3 nodes did not report: /opt/flap-worker is") == true)
    let other = "0: " + PreflightReportTests.report(softwareVersion: "9").line
    let both = failures(.exited(code: 1), [other], launcher: .slurm, hostCount: 2)
    #expect(both.count == 2)
    #expect(both.first?.hasPrefix("node1: ") == true)
  }

  @Test("only ssh's 255 is ssh's")
  func otherLauncher() {
    let found = failures(.exited(code: 255), ["Permission denied"], launcher: .local)
    #expect(found.first?.contains("exited with code 255") == true)
  }
}
