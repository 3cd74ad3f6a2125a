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
    Host.firstLine(of: "/proc/self/status", beginning: "RssAnon:")?
      .split(separator: " ").first.flatMap { Int($0) }.map { $0 << 10 }
  }
}
