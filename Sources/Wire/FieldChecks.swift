internal import CFlapMessages
internal import CProtobufC
internal import Coordination
internal import FlapCore
internal import Statistics

/// The checks of what a header holds: each gives a value that nothing downstream can trap on.
enum FieldChecks {
  /// Most that a count of bytes, steps or nanoseconds can be: a few such add up within `Int`.
  static let largestCount = 1 << 53

  static func count(
    _ value: UInt64, _ field: String, atLeast least: Int = 0
  ) throws(WireError) -> Int {
    guard let count = Int(exactly: value), (least...largestCount).contains(count) else {
      throw .invalid(field: field, reason: "\(value)")
    }
    return count
  }

  static func count(
    _ value: UInt32, _ field: String, atLeast least: Int = 0, atMost most: Int = Int(UInt32.max)
  ) throws(WireError) -> Int {
    guard (least...most).contains(Int(value)) else {
      throw .invalid(field: field, reason: "\(value)")
    }
    return Int(value)
  }

  static func text(
    _ pointer: UnsafeMutablePointer<CChar>?, _ field: String, mayBeEmpty: Bool = true
  ) throws(WireError) -> String {
    guard let pointer else { throw .missing(field: field) }
    guard let text = String(validatingCString: pointer) else {
      throw .invalid(field: field, reason: "not UTF-8")
    }
    guard mayBeEmpty || !text.isEmpty else { throw .invalid(field: field, reason: "empty") }
    return text
  }

  /// What a peer tells people: it goes to logs and terminals, so it is made fit for them here.
  static func words(
    _ pointer: UnsafeMutablePointer<CChar>?, _ field: String, limit: Int = 1000
  ) throws(WireError) -> String {
    PlainText.line(try text(pointer, field), limit: limit)
  }

  /// A text that is none of those that are known, to be quoted in an error.
  static func unknown(_ field: String, _ text: String) -> WireError {
    .invalid(field: field, reason: PlainText.line(text, limit: 60))
  }

  /// Names of 1…`largestKindCount` kinds of statistics, none twice.
  static func kinds(
    _ pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, count: Int
  ) throws(WireError) -> [StatisticKind] {
    let field = "kind of statistic"
    guard let pointer, (1...largestKindCount).contains(count) else { throw .missing(field: field) }
    var kinds: [StatisticKind] = []
    for index in 0..<count {
      let name = try text(pointer[index], field)
      guard let kind = StatisticKind(text: name), !kinds.contains(kind) else {
        throw unknown(field, name)
      }
      kinds.append(kind)
    }
    return kinds
  }

  private static let largestKindCount = 64

  /// A name in a folder: no path that leads elsewhere.
  static func fileName(
    _ pointer: UnsafeMutablePointer<CChar>?, _ field: String
  ) throws(WireError) -> String {
    let name = try text(pointer, field, mayBeEmpty: false)
    guard name != ".", name != "..", !name.utf8.contains(UInt8(ascii: "/")) else {
      throw .invalid(field: field, reason: "not a plain name")
    }
    return name
  }

  static func digest(
    _ data: ProtobufCBinaryData, _ field: String
  ) throws(WireError) -> Digest {
    guard data.len == Digest.byteCount, let start = data.data,
      let digest = Digest(bytes: UnsafeBufferPointer(start: start, count: data.len))
    else { throw .invalid(field: field, reason: "\(data.len) bytes") }
    return digest
  }

  /// The bytes of a CURVE key, or none.
  static func peerSecret(_ data: ProtobufCBinaryData) throws(WireError) -> [UInt8] {
    guard data.len == 0 || data.len == 32 else {
      throw .invalid(field: "key of the workers", reason: "\(data.len) bytes")
    }
    return data.data.map { Array(UnsafeBufferPointer(start: $0, count: data.len)) } ?? []
  }

  /// Where a worker can be asked: `tcp://host:port`, or empty.
  static func endpoint(
    _ pointer: UnsafeMutablePointer<CChar>?
  ) throws(WireError) -> String {
    let text = try text(pointer, "endpoint")
    guard text.isEmpty || text.hasPrefix("tcp://"), text.utf8.count <= 300,
      text.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    else { throw unknown("endpoint", text) }
    return text
  }

  static func place(layer: UInt32, tap: UInt32) throws(WireError) -> TapPlace {
    guard let known = Tap(rawValue: Int(tap)) else {
      throw .invalid(field: "tap", reason: "\(tap)")
    }
    return TapPlace(layer: try count(layer, "layer", atMost: Limits.layerCount - 1), known)
  }

  /// A span of time above zero.
  static func duration(_ nanoseconds: UInt64, _ field: String) throws(WireError) -> Duration {
    .nanoseconds(try count(nanoseconds, field, atLeast: 1))
  }

  static func attempt(
    _ pointer: UnsafeMutablePointer<Flap__TaskAttempt>?
  ) throws(WireError) -> TaskAttempt {
    guard let attempt = pointer?.pointee else { throw .missing(field: "attempt") }
    return TaskAttempt(
      task: TaskID(attempt.task),
      attempt: try count(attempt.attempt, "number of an attempt", atLeast: 1))
  }

  /// Checks the frames of a message: how many, and that none is too long.
  static func frames(_ frames: [[UInt8]]) throws(WireError) {
    guard (1...Limits.framesPerMessage).contains(frames.count) else {
      throw .frameCount(found: frames.count)
    }
    for (index, frame) in frames.enumerated() {
      let limit = index == 0 ? Limits.headerFrameBytes : Limits.chunkBytes
      guard frame.count <= limit else {
        throw .frameTooLong(frame: index, byteCount: frame.count, limit: limit)
      }
    }
  }

  /// Checks that no raw bytes follow a header that announces none.
  static func noRawFrames(_ frames: [[UInt8]]) throws(WireError) {
    guard frames.count == 1 else { throw .frameCount(found: frames.count) }
  }
}
