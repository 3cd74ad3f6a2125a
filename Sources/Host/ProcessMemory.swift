internal import Glibc

/// Anonymous resident memory of this process: scratch, heap and stacks, not the mapped weights,
/// which the kernel may drop and all workers of a host share (`RssAnon` of proc(5)).
public struct ProcessMemory: Sendable {
  public private(set) var residentBytes = 0
  public private(set) var peakResidentBytes = 0

  public init() {}

  public mutating func sample() {
    residentBytes = ProcessMemory.anonymousBytes() ?? residentBytes
    peakResidentBytes = max(peakResidentBytes, residentBytes)
  }

  private static func anonymousBytes() -> Int? {
    guard let file = fopen("/proc/self/status", "r") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(
        decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      guard text.hasPrefix("RssAnon:") else { continue }
      return text.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
        .map { $0 << 10 }
    }
    return nil
  }
}
