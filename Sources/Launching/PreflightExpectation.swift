public import FlapCore

/// What each host of a run has to agree with.
public struct PreflightExpectation: Hashable, Sendable {
  public var softwareVersion: String
  public var protocolVersion: Int
  public var modelDigest: Digest
  /// What else helps a host without flap-worker of this version; nil: nothing.
  public var workerAdvice: String?
  /// What else helps a host whose model cannot be read.
  public var modelAdvice: String?

  public init(
    softwareVersion: String = SoftwareVersion.current, protocolVersion: Int, modelDigest: Digest,
    workerAdvice: String? = nil, modelAdvice: String? = nil
  ) {
    self.workerAdvice = workerAdvice
    self.modelAdvice = modelAdvice
    self.softwareVersion = softwareVersion
    self.protocolVersion = protocolVersion
    self.modelDigest = modelDigest
  }

  static func appended(_ advice: String?) -> String { advice.map { "; " + $0 } ?? "" }

  func isOtherVersion(_ report: PreflightReport) -> Bool {
    report.softwareVersion != softwareVersion || report.protocolVersion != protocolVersion
  }

  /// What is wrong with a host: one line each, with its name and what to do.
  public func failures(of report: PreflightReport, label: String) -> [String] {
    var failures: [String] = []
    if isOtherVersion(report) {
      failures.append(
        "flap-worker there is version \(report.softwareVersion) (protocol "
          + "\(report.protocolVersion)), this flap-coord is \(softwareVersion) (protocol "
          + "\(protocolVersion)): install the same version there or name it with worker=/path"
          + PreflightExpectation.appended(workerAdvice))
    }
    if let modelError = report.modelError {
      failures.append(
        "its model cannot be read: \(modelError): copy the checkpoint there or name its folder "
          + "with model=/path" + PreflightExpectation.appended(modelAdvice))
    } else if let digest = report.modelDigest, digest.lowercased() != modelDigest.hexadecimal {
      failures.append(
        "its model is another one (digest \(digest.prefix(12))…, here "
          + "\(modelDigest.hexadecimal.prefix(12))…): copy the same checkpoint there or name its "
          + "folder with model=/path")
    }
    if let endpointError = report.endpointError {
      failures.append(
        "it cannot reach this flap-coord: \(endpointError): name an address that it can reach "
          + "with --listen, and open the port in the firewalls between")
    }
    return failures.map { "\(label): \($0)" }
  }
}
