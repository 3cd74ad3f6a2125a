internal import CFlapMessages
internal import Coordination
internal import FlapCore

/// The raw frames of continuations whose likelihood is asked for: int32, as `flap.proto` has them.
enum ScoreFrames {
  static func numbers(_ leaves: [ScoreLeaf]) -> [Int32] {
    var numbers: [Int32] = []
    for leaf in leaves {
      numbers.append(Int32(leaf.groups.count))
      for group in leaf.groups {
        numbers += [group.beginning.count, group.branches.count, group.spans.count].map {
          Int32($0)
        }
        numbers += group.branches.map { Int32($0.count) }
        for span in group.spans {
          numbers += [Int32(span.text), Int32(span.position), Int32(span.tokens.count)]
        }
        numbers += group.beginning
        numbers += group.branches.joined()
        numbers += group.spans.lazy.flatMap(\.tokens)
      }
    }
    return numbers
  }

  static func work(
    _ pointer: UnsafeMutablePointer<Flap__ScoreWork>?, _ frames: [[UInt8]]
  ) throws(WireError) -> ScoreWork {
    guard let work = pointer?.pointee else { throw .missing(field: "questions") }
    let leafCount = try FieldChecks.count(
      work.leaf_count, "count of leaves", atLeast: 1, atMost: Limits.leavesPerUnit)
    var reader = ScoreReader(RawFrames.joinBytes(frames))
    var leaves: [ScoreLeaf] = []
    for _ in 0..<leafCount { leaves.append(try reader.leaf()) }
    try reader.end()
    return ScoreWork(
      number: try FieldChecks.count(work.number, "number of a work unit"), leaves,
      plan: work.plan_digest.len == 0
        ? nil : try FieldChecks.digest(work.plan_digest, "digest of the plan"))
  }
}

/// Takes numbers in their order. What it makes room for is in the bytes.
private struct ScoreReader {
  private let bytes: [UInt8]
  private var next = 0

  private static let width = MemoryLayout<Int32>.size

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  private static let field = "questions"

  private var left: Int { bytes.count / ScoreReader.width - next }

  /// Not negative.
  private mutating func numbers(_ count: Int) throws(WireError) -> [Int32] {
    guard count <= left else {
      throw .rawByteCount(
        of: ScoreReader.field, expected: (next + count) * ScoreReader.width, found: bytes.count)
    }
    let first = next
    next += count
    let numbers = bytes.withUnsafeBytes { bytes in
      (first..<first + count).map {
        bytes.loadUnaligned(fromByteOffset: ScoreReader.width * $0, as: Int32.self)
      }
    }
    guard numbers.allSatisfy({ $0 >= 0 }) else {
      throw .invalid(field: ScoreReader.field, reason: "a negative number")
    }
    return numbers
  }

  private mutating func count(atLeast least: Int = 0) throws(WireError) -> Int {
    let count = Int(try numbers(1)[0])
    // Each of what is counted takes a number at least.
    guard count >= least, count <= left else {
      throw .invalid(field: ScoreReader.field, reason: "a count of \(count)")
    }
    return count
  }

  mutating func leaf() throws(WireError) -> ScoreLeaf {
    var groups: [ScoreGroup] = []
    for _ in 0..<(try count(atLeast: 1)) { groups.append(try group()) }
    return ScoreLeaf(groups)
  }

  private mutating func group() throws(WireError) -> ScoreGroup {
    let beginningCount = try count()
    let branchCount = try count()
    let spanCount = try count(atLeast: 1)
    let branchCounts = try numbers(branchCount).map { Int($0) }
    let spans = try numbers(3 * spanCount).map { Int($0) }
    let beginning = try numbers(beginningCount)
    var branches: [[Int32]] = []
    for count in branchCounts { branches.append(try numbers(count)) }
    let lengths =
      branches.isEmpty ? [beginningCount] : branchCounts.map { beginningCount + $0 }
    var read: [ScoreSpan] = []
    for span in stride(from: 0, to: spans.count, by: 3) {
      read.append(
        ScoreSpan(ofText: spans[span], after: spans[span + 1], try numbers(spans[span + 2])))
    }
    guard lengths.allSatisfy({ $0 > 0 }),
      read.allSatisfy({ lengths.indices.contains($0.text) && $0.lies(in: lengths[$0.text]) })
    else { throw .invalid(field: ScoreReader.field, reason: "a span outside its text") }
    return ScoreGroup(beginning: beginning, branches: branches, spans: read)
  }

  func end() throws(WireError) {
    let expected = next * ScoreReader.width
    guard bytes.count == expected else {
      throw .rawByteCount(of: ScoreReader.field, expected: expected, found: bytes.count)
    }
  }
}
