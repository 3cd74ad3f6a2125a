internal import Foundation

/// Which kernels computed the results that a run keeps: those that compute later, also after a
/// resumption, are compared with them.
struct KernelRecord: Sendable {
  /// Those of the run's earlier parts, the first ones first.
  let earlier: [String]
  /// Makes it safe that results of these are kept, too.
  let keep: @Sendable (String) throws -> Void

  /// As `flap/run.json` and the report name them.
  static func text(_ fingerprints: [String]) -> String {
    fingerprints.joined(separator: separator)
  }

  static func fingerprints(in text: String) -> [String] {
    text.isEmpty ? [] : text.components(separatedBy: separator)
  }

  private static let separator = " and "

  /// Of a run that keeps nothing.
  static let none = KernelRecord(earlier: [], keep: { _ in })
}
