import Launching
import Testing

struct PreflightReportTests {
  static let digest = String(repeating: "ab", count: 32)

  static func report(
    softwareVersion: String = "0.1.0", protocolVersion: Int = 1, modelError: String? = nil,
    digest: String = digest, endpointError: String? = nil
  ) -> PreflightReport {
    PreflightReport(
      softwareVersion: softwareVersion, protocolVersion: protocolVersion, host: "node1",
      coreCount: 64, memoryBytes: 1 << 38, modelDigest: modelError == nil ? digest : nil,
      modelError: modelError, kernelFingerprint: "avx512/avx512-bf16/bf16",
      endpointReachable: endpointError == nil, endpointError: endpointError)
  }

  @Test(
    "a report goes through a line and back",
    arguments: [
      report(), report(modelError: "no \"config.json\" in /m \\ é"),
      report(endpointError: "timed out"),
      report(modelError: String(repeating: "\u{1F468}\"", count: 4000)),
      report(modelError: "a\u{1B}[2J\nb"),
    ])
  func roundTrip(report: PreflightReport) throws {
    #expect(report.line.hasPrefix("flap-preflight {"))
    #expect(!report.line.contains("\n"))
    #expect(report.line.utf8.count <= PreflightReport.lineByteLimit)
    #expect(PreflightReport(outputLines: ["Welcome!", report.line, "bye"]) == report)
    #expect(PreflightReport(outputLines: ["12: " + report.line]) == report)
    #expect(PreflightReport(outputLines: [" 3: " + report.line]) == report)
  }

  @Test("texts lose what a terminal would act on")
  func cleaned() {
    #expect(Self.report(modelError: " a\u{1B}[2J\nb\u{202E} ").modelError == "a [2J b")
  }

  @Test("the last report counts; srun's come all")
  func several() {
    let lines = [Self.report(softwareVersion: "1"), Self.report(softwareVersion: "2")].map(\.line)
    #expect(PreflightReport(outputLines: lines)?.softwareVersion == "2")
    #expect(PreflightReport.reports(in: lines).map(\.softwareVersion) == ["1", "2"])
  }

  private static let line = report().line
  static let malformedLines: [String] = [
    "", "flap-preflight ", "flap-preflight {}", "flap-preflight []", "x" + line, "x: " + line,
    "-1: " + line, line + "}", String(line.dropLast()),
    line.replacing("\"coreCount\":64", with: "\"coreCount\":0"),
    line.replacing("\"coreCount\":64", with: "\"coreCount\":1e99"),
    line.replacing("\"coreCount\":64", with: "\"coreCount\":\"64\""),
    line.replacing("\"coreCount\":64,", with: ""),
    line.replacing("\"memoryBytes\":", with: "\"memoryBytes\":-"),
    line.replacing(digest, with: String(digest.dropLast())),
    line.replacing("\"modelDigest\"", with: "\"modelDigests\""),
    line.replacing("\"endpointReachable\":true", with: "\"endpointReachable\":false"),
    line.replacing("node1", with: #"\u001b[2J"#),
    line.replacing("node1", with: String(repeating: "n", count: 301)),
    line + String(repeating: " ", count: PreflightReport.lineByteLimit),
    "flap-preflight " + String(repeating: "[", count: 10_000),
    "flap-preflight {\"host\":" + String(repeating: "{\"a\":", count: 2_000),
  ]

  @Test("what is no report", arguments: malformedLines.indices)
  func malformed(index: Int) {
    #expect(PreflightReport(outputLines: [Self.malformedLines[index]]) == nil)
  }

  @Test("a newer version's report, with fields that are not known here, is read")
  func newer() {
    let line = Self.line.replacing("{", with: "{\"gpuCount\":8,")
    #expect(PreflightReport(outputLines: [line]) == Self.report())
  }
}
