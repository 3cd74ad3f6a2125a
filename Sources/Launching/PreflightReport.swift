public import FlapCore
internal import FoundationEssentials

/// What `flap-worker --preflight` finds on its host, printed as one line `flap-preflight {json}`.
public struct PreflightReport: Codable, Hashable, Sendable {
  public static let prefix = "flap-preflight "
  public static let lineByteLimit = 16 << 10
  /// Longest text of a field, in Unicode scalars.
  public static let textLimit = 300

  public let softwareVersion: String
  public let protocolVersion: Int
  public let host: String
  public let coreCount: Int
  public let memoryBytes: Int
  /// 64 hexadecimal digits; nil where the model cannot be read.
  public let modelDigest: String?
  /// Why the model cannot be read.
  public let modelError: String?
  public let kernelFingerprint: String
  public let endpointReachable: Bool
  /// Why the coordinator cannot be reached.
  public let endpointError: String?
  /// NUMA nodes with CPUs and memory for the worker.
  public let memoryNodes: [MemoryNode]?
  /// More nodes than this are not told.
  private static let memoryNodeLimit = 64

  /// Texts are cut to `textLimit`, and lose their control characters.
  ///
  /// - Precondition: either a digest or an error of the model; an error of the endpoint just when
  ///   it is out of reach.
  public init(
    softwareVersion: String, protocolVersion: Int, host: String, coreCount: Int, memoryBytes: Int,
    modelDigest: String?, modelError: String?, kernelFingerprint: String, endpointReachable: Bool,
    endpointError: String?, memoryNodes: [MemoryNode]? = nil
  ) {
    func clean(_ text: String) -> String {
      PlainText.line(text, limit: PreflightReport.textLimit - 1)
    }
    precondition((modelDigest == nil) == (modelError != nil), "a digest or an error of the model")
    precondition(endpointReachable == (endpointError == nil), "reachable, or why not")
    self.softwareVersion = clean(softwareVersion)
    self.protocolVersion = protocolVersion
    self.host = clean(host)
    self.coreCount = coreCount
    self.memoryBytes = memoryBytes
    self.modelDigest = modelDigest
    self.modelError = modelError.map(clean)
    self.kernelFingerprint = clean(kernelFingerprint)
    self.endpointReachable = endpointReachable
    self.endpointError = endpointError.map(clean)
    self.memoryNodes = memoryNodes.map { Array($0.prefix(PreflightReport.memoryNodeLimit)) }
  }

  /// The line to print, without its end.
  public var line: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Strings, whole numbers and a Boolean: nothing that JSON could not hold.
    guard let json = try? encoder.encode(self) else { return PreflightReport.prefix + "{}" }
    return PreflightReport.prefix + String(decoding: json, as: UTF8.self)
  }

  /// The last report among the lines that a command printed; nil when there is none.
  public init?(outputLines: [String]) {
    guard let last = PreflightReport.reports(in: outputLines).last else { return nil }
    self = last
  }

  /// The reports among the lines, in their order. srun puts the task's number before each line.
  public static func reports(in outputLines: [String]) -> [PreflightReport] {
    outputLines.compactMap(report)
  }

  private static func report(_ line: String) -> PreflightReport? {
    guard line.utf8.count <= lineByteLimit, let start = line.firstRange(of: prefix),
      isLabel(line[..<start.lowerBound])
    else { return nil }
    let json = Data(line[start.upperBound...].utf8)
    guard let report = try? JSONDecoder().decode(PreflightReport.self, from: json),
      report.isPlausible
    else { return nil }
    return report
  }

  /// Nothing, or `12: ` as srun --label writes it.
  private static func isLabel(_ text: Substring) -> Bool {
    guard !text.isEmpty else { return true }
    guard text.hasSuffix(": ") else { return false }
    let number = text.drop { $0 == " " }.dropLast(2)
    return WholeNumber.parse(number.utf8) != nil
  }

  /// Fields that agree with each other and may be shown on a terminal as they are.
  private var isPlausible: Bool {
    let texts =
      [softwareVersion, host, kernelFingerprint] + [modelError, endpointError].compactMap(\.self)
    let isShowable = texts.allSatisfy { text in
      text.unicodeScalars.count <= PreflightReport.textLimit
        && !text.unicodeScalars.contains(where: PlainText.isUnprintable)
    }
    return isShowable && coreCount > 0 && memoryBytes >= 0
      && (modelDigest == nil) == (modelError != nil)
      && endpointReachable == (endpointError == nil)
      && (memoryNodes ?? []).allSatisfy { $0.number >= 0 && $0.memoryBytes >= 0 }
      && (memoryNodes ?? []).count <= PreflightReport.memoryNodeLimit
      && modelDigest.map { Digest(hexadecimal: $0) != nil } ?? true
  }
}
