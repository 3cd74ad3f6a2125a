import Foundation

/// How many random inputs a fuzz test tries.
public enum FuzzCount {
  /// `FLAP_FUZZ_COUNT`, or few enough for every day.
  public static let perTest =
    ProcessInfo.processInfo.environment["FLAP_FUZZ_COUNT"].flatMap { Int($0) } ?? 20_000
}
