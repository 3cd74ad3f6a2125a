internal import Coordination
internal import FlapCore
internal import Statistics

/// The sources of a merge as bytes: an entry of each, then the locations, each once.
enum MergeSources {
  private static let entryBytes = Digest.byteCount + 8

  static func bytes(_ sources: [SumMerge.Source]) -> [UInt8] {
    var numbers: [SumLocation: UInt32] = [:]
    var entries: [UInt8] = []
    var locations: [UInt8] = []
    for source in sources {
      let number = numbers[source.location] ?? UInt32(numbers.count)
      if numbers.updateValue(number, forKey: source.location) == nil {
        locations += Array(text(source.location).utf8) + [0]
      }
      entries += source.digest.bytes
      for value in [UInt32(source.kind.rawValue), number] {
        withUnsafeBytes(of: value.littleEndian) { entries += $0 }
      }
    }
    return entries + locations
  }

  private static func text(_ location: SumLocation) -> String {
    switch location {
    case .worker(let endpoint): endpoint
    case .file(let path): path
    }
  }

  /// - Parameter count: of sources.
  static func sources(
    _ bytes: ArraySlice<UInt8>, count: Int
  ) throws(WireError) -> [SumMerge.Source] {
    let (entryCount, overflow) = count.multipliedReportingOverflow(by: entryBytes)
    guard !overflow, entryCount <= bytes.count else {
      throw .rawByteCount(of: "sources", expected: entryCount, found: bytes.count)
    }
    let locations = try locations(bytes.dropFirst(entryCount))
    var sources: [SumMerge.Source] = []
    for number in 0..<count {
      let entry = Array(bytes.dropFirst(number * entryBytes).prefix(entryBytes))
      let words = entry.withUnsafeBytes { bytes in
        (0..<2).map {
          bytes.loadUnaligned(fromByteOffset: Digest.byteCount + 4 * $0, as: UInt32.self)
            .littleEndian
        }
      }
      guard let digest = Digest(bytes: entry.prefix(Digest.byteCount)),
        let kind = SumKind(rawValue: Int(words[0])), locations.indices.contains(Int(words[1]))
      else { throw .invalid(field: "source", reason: "number \(number)") }
      sources.append(SumMerge.Source(kind, digest, at: locations[Int(words[1])]))
    }
    return sources
  }

  private static func locations(
    _ bytes: ArraySlice<UInt8>
  ) throws(WireError) -> [SumLocation] {
    var texts = bytes.split(separator: 0, omittingEmptySubsequences: false)
    // What comes after the last zero byte.
    guard texts.popLast()?.isEmpty == true else {
      throw .invalid(field: "location of sums", reason: "without an end")
    }
    var locations: [SumLocation] = []
    for text in texts {
      guard let text = String(validating: text, as: UTF8.self) else {
        throw .invalid(field: "location of sums", reason: "not UTF-8")
      }
      locations.append(text.hasPrefix("/") ? .file(text) : .worker(endpoint: text))
    }
    return locations
  }
}
