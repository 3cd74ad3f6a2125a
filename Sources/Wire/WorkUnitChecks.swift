internal import CFlapMessages
internal import Coordination
internal import FlapCore
internal import Statistics

/// The checks of the samples of a node.
enum WorkUnitChecks {
  /// Most leaves of a canonical tree.
  private static let largestLeafCount = 1 << 61

  static func unit(
    _ pointer: UnsafeMutablePointer<Flap__WorkUnit>?, _ frames: [[UInt8]]
  ) throws(WireError) -> WorkUnit {
    guard let unit = pointer?.pointee else { throw .missing(field: "samples") }
    let node = try node(level: unit.node_level, index: unit.node_index)
    let samplesPerLeaf = try samplesPerLeaf(
      UnsafeBufferPointer(start: unit.samples_per_leaf, count: unit.n_samples_per_leaf),
      of: node)
    let tokensPerSample = try FieldChecks.count(
      unit.tokens_per_sample, "count of tokens per sample", atLeast: 1)
    // At most 2^12 leaves of less than 2^32 samples: the sum cannot overflow.
    let tokenCount = try tokenCount(
      sampleCount: samplesPerLeaf.reduce(0, +), tokensPerSample: tokensPerSample)
    let scaleCounts = try scaleCounts(
      UnsafeBufferPointer(start: unit.scale_counts, count: unit.n_scale_counts))
    let tokenBytes = tokenCount * MemoryLayout<Int32>.size
    let expected = tokenBytes + scaleCounts.reduce(0, +)
    let found = RawFrames.byteCount(frames)
    guard found == expected else {
      throw .rawByteCount(of: "token ids", expected: expected, found: found)
    }
    let bytes = RawFrames.joinBytes(frames)
    let tokens = bytes.withUnsafeBytes { bytes in
      (0..<tokenCount).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self) }
    }
    guard tokens.allSatisfy({ $0 >= 0 }) else {
      throw .invalid(field: "token id", reason: "negative")
    }
    return WorkUnit(
      node: node, samplesPerLeaf: samplesPerLeaf, tokensPerSample: tokensPerSample, tokens: tokens,
      scales: scaleCounts.isEmpty ? nil : try scales(bytes[tokenBytes...], scaleCounts))
  }

  /// Two for every layer; their sum cannot overflow.
  private static func scaleCounts(
    _ counts: UnsafeBufferPointer<UInt32>
  ) throws(WireError) -> [Int] {
    guard counts.count % 2 == 0, counts.count <= 2 * Limits.layerCount,
      counts.allSatisfy({ $0 <= UInt32(Limits.dimension) })
    else { throw .invalid(field: "counts of scales", reason: "\(counts.count) of them") }
    return counts.map { Int($0) }
  }

  private static func scales(
    _ bytes: ArraySlice<UInt8>, _ counts: [Int]
  ) throws(WireError) -> ChannelScales {
    let exponents = bytes.map { Int8(bitPattern: $0) }
    guard exponents.allSatisfy({ $0.magnitude <= ChannelScales.limit }) else {
      throw .invalid(field: "scale", reason: "its exponent is too large")
    }
    var next = 0
    let taps = counts.map { count in
      defer { next += count }
      return Array(exponents[next..<next + count])
    }
    return ChannelScales(
      exponents: stride(from: 0, to: taps.count, by: 2).map {
        PerTap(attentionOutput: taps[$0], mlpDown: taps[$0 + 1])
      })
  }

  /// Samples times their length, as many as one message can hold.
  static func tokenCount(sampleCount: Int, tokensPerSample: Int) throws(WireError) -> Int {
    let count = try product(sampleCount, tokensPerSample)
    guard count <= Limits.tokensPerUnit else {
      throw .invalid(field: "count of tokens", reason: "\(count)")
    }
    return count
  }

  static func product(_ left: Int, _ right: Int) throws(WireError) -> Int {
    let (product, overflow) = left.multipliedReportingOverflow(by: right)
    guard !overflow else { throw .invalid(field: "count of tokens", reason: "\(left) × \(right)") }
    return product
  }

  /// A node whose leaves have numbers within `Int`.
  private static func node(level: UInt32, index: UInt64) throws(WireError) -> TreeNode {
    let level = try FieldChecks.count(level, "level of a node", atMost: 61)
    guard index < UInt64(largestLeafCount >> level) else {
      throw .invalid(field: "index of a node", reason: "\(index) of level \(level)")
    }
    return TreeNode(level: level, index: Int(index))
  }

  /// 1…2^level leaves of the same count of samples; the last of them may have fewer.
  private static func samplesPerLeaf(
    _ counts: UnsafeBufferPointer<UInt32>, of node: TreeNode
  ) throws(WireError) -> [Int] {
    let largest = min(1 << node.level, Limits.leavesPerUnit)
    guard (1...largest).contains(counts.count) else {
      throw .invalid(field: "count of leaves", reason: "\(counts.count) in \(node)")
    }
    let counts = counts.map { Int($0) }
    let last = counts[counts.count - 1]
    guard last >= 1, last <= counts[0], counts.dropLast().allSatisfy({ $0 == counts[0] }) else {
      throw .invalid(field: "count of samples per leaf", reason: "unequal or empty leaves")
    }
    return counts
  }
}
