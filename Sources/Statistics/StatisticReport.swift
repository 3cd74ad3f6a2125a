public import FlapCore

/// What a worker reports of a task: parts, one after another, so that nobody holds all of them.
///
/// As bytes a part is the length of its key's text (u64), the text, the length of its bytes (u64)
/// and the bytes.
public enum StatisticReport {
  /// Longest text of a key.
  static let keyByteLimit = 256

  /// What precedes a part's bytes, which may be too many to be copied.
  public static func header(of part: StatisticPart) -> [UInt8] {
    let key = Array(part.key.description.utf8)
    var writer = ByteWriter(byteCount: 16 + key.count)
    writer.append(count: key.count)
    writer.append(key)
    writer.append(count: part.bytes.count)
    return writer.bytes
  }

  public static func encode(_ part: StatisticPart) -> [UInt8] { header(of: part) + part.bytes }

  /// Bytes of the parts of these keys.
  public static func byteCount(
    of keys: [StatisticKey], _ catalog: StatisticCatalog, in shape: ModelShape
  ) throws(StatisticsError) -> Int {
    var sum = 0
    for key in keys {
      sum += try 16 + key.description.utf8.count + catalog.byteCount(key, in: shape)
    }
    return sum
  }
}

/// A report that has come in, to be read once from its beginning.
public protocol ReportSource {
  /// SHA-256 of all of its bytes.
  var digest: Digest { get }
  /// - Throws: what its storage throws.
  mutating func next() throws -> ReportItem
}

public enum ReportItem: Hashable, Sendable {
  case part(StatisticPart)
  case end
  /// Bytes that are no part.
  case malformed(String)
}

/// Reads the parts of a report from wherever its bytes are.
public struct ReportReader: ReportSource {
  /// - Throws: what the storage throws.
  public typealias Read = (_ bytes: Range<Int>) throws -> [UInt8]

  public let digest: Digest
  private let byteCount: Int
  private let read: Read
  private var offset = 0

  /// - Parameter read: gives bytes of the report; a range within `byteCount`.
  public init(byteCount: Int, digest: Digest, read: @escaping Read) {
    self.byteCount = byteCount
    self.digest = digest
    self.read = read
  }

  public mutating func next() throws -> ReportItem {
    guard offset < byteCount else { return .end }
    guard let keyCount = try count(), keyCount <= StatisticReport.keyByteLimit,
      let text = try take(keyCount)
    else { return .malformed("a part without its key") }
    guard let text = String(validating: text, as: UTF8.self), let key = StatisticKey(text: text)
    else { return .malformed("a part of an unknown form") }
    guard let partCount = try count(), let bytes = try take(partCount) else {
      return .malformed("\(key) is cut off")
    }
    return .part(StatisticPart(key: key, bytes: bytes))
  }

  private mutating func count() throws -> Int? {
    guard let bytes = try take(8) else { return nil }
    var reader = ByteReader(bytes)
    return reader.count()
  }

  /// - Returns: nil when the report has fewer left.
  private mutating func take(_ count: Int) throws -> [UInt8]? {
    guard count >= 0, count <= byteCount - offset else { return nil }
    defer { offset += count }
    return try read(offset..<offset + count)
  }
}
