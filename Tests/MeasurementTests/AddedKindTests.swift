import Checkpoint
import Coordination
import Export
import FlapCore
import FlapTestKit
import Measurement
import Statistics
import Storage
import SystemPackage
import Testing
import Transformer

/// A kind of statistic that this target adds goes the whole way, beside the program's own, and
/// nothing but the two catalogs had to hear of it.
struct AddedKindTests {
  let small: SmallModel
  let statistics = StatisticCatalog(StatisticCatalog.standard.types + [ChannelRange.self])
  let gatherers = GathererCatalog([MomentsGatherer.self, RangeGatherer.self])
  let kinds = [ChannelMoments.kind, ChannelRange.kind]
  let leaves: [Leaf]

  init() throws {
    small = try SmallModel()
    var generator = SeededGenerator(seed: 3)
    leaves = (0..<5).map { _ in
      Leaf(
        tokens: (0..<2 * 11).map { _ in Int32.random(in: 0..<50, using: &generator) },
        sampleCount: 2, tokensPerSample: 11)
    }
  }

  private var tree: CanonicalTree { CanonicalTree(leafCount: leaves.count) }

  @Test("gathered, reported, kept, merged and written into a statistics file")
  func wholeWay() throws {
    var ledger = try ledger()
    let measurement = try measurement()
    for node in [TreeNode.leaf(4), TreeNode(level: 1, index: 1), TreeNode(level: 1, index: 0)] {
      #expect(try keep(try report(measurement, node), of: node, in: &ledger) == .kept)
    }
    #expect(kinds.allSatisfy { ledger.missingNodes(of: $0).isEmpty })

    // One worker that does all at once has the same bits.
    let whole = try report(measurement, tree.root)
    var expected = reader(whole)
    for place in TapPlace.all(in: small.shape.layers.indices) {
      let parts = try [expected.next(), expected.next()]
      let moments = try ledger.value(of: ChannelMoments.self, at: place)
      let range = try ledger.value(of: ChannelRange.self, at: place)
      #expect(parts[0] == .part(StatisticPart(moments, at: place, node: tree.root)))
      #expect(parts[1] == .part(StatisticPart(range, at: place, node: tree.root)))
      for channel in 0..<moments.channelCount {
        let mean = moments.mean[channel]
        #expect(range.smallest[channel] <= mean && mean <= range.largest[channel])
      }
    }

    var measured = ModelStatistics(sampleCount: 10)
    measured[ChannelMoments.self] = try ledger.layers(of: ChannelMoments.self)
    measured[ChannelRange.self] = try ledger.layers(of: ChannelRange.self)
    measured[WeightNorms.self] = try norms()
    let path = FilePath(small.folder.path("statistics.safetensors"))
    try StatisticsFile(
      statistics: measured, shape: small.shape, modelDigest: small.checkpoint.digest,
      dataDigest: small.checkpoint.digest, compute: .float32, catalog: statistics
    ).write(to: path)
    let file = try StatisticsFile(path: path, catalog: statistics)
    #expect(file.statistics[ChannelRange.self] == measured[ChannelRange.self])
    #expect(file.statistics.moments == measured.moments)
    // A program that does not know the kind reads the rest.
    let plain = try StatisticsFile(path: path)
    #expect(plain.statistics[ChannelRange.self] == nil)
    #expect(plain.statistics.norms == measured.norms)
  }

  @Test("threads, lanes and the size of a work unit change no bit of either kind")
  func determinism() throws {
    let expected = try report(measurement(), tree.root)
    for (threads, lanes) in [(2, 1), (2, 2), (3, 3)] {
      #expect(try report(measurement(threads: threads, lanes: lanes), tree.root) == expected)
    }
  }

  @Test("a report that lacks a kind, has one too many or an impossible value is refused")
  func refusals() throws {
    var ledger = try ledger()
    let node = TreeNode.leaf(0)
    let honest = try report(measurement(), node)
    var parts: [StatisticPart] = []
    var reader = reader(honest)
    while case .part(let part) = try reader.next() { parts.append(part) }
    #expect(parts.count == 2 * 2 * kinds.count)

    var impossible = parts
    impossible[1].bytes[7] = 0x7F
    impossible[1].bytes[6] = 0xF0
    var elsewhere = parts
    elsewhere[3].key.node = .leaf(1)
    for (wrong, reason) in [
      (Array(parts.dropLast()), "ends before range/1/mlp.down_proj/0/0"),
      (parts + [parts[0]], "more than was asked for"),
      (impossible, "channel 0, are not finite"),
      (elsewhere, "holds range/0/mlp.down_proj/0/1 where range/0/mlp.down_proj/0/0 belongs"),
    ] {
      let verdict = try keep(wrong.flatMap(StatisticReport.encode), of: node, in: &ledger)
      guard case .refused(let told) = verdict else {
        Issue.record("kept: \(reason)")
        continue
      }
      #expect(told.contains(reason), "\(told)")
      #expect(ledger.isEmpty)
    }
    let cut = try keep(Array(honest.dropLast()), of: node, in: &ledger)
    #expect(
      cut == .refused(reason: "its report cannot be read: range/1/mlp.down_proj/0/0 is cut off"))
    #expect(try keep(honest, of: node, in: &ledger) == .kept)
  }

  @Test("a kind that nobody gathers is refused by name")
  func unknownKind() throws {
    let plain = SampleMeasurement(try model())
    #expect(throws: MeasurementError.unknownKind(ChannelRange.kind)) {
      try plain.run(kinds, leaves, of: tree.root, samplesPerLeaf: 2) {
      } emit: { _ in
      }
    }
  }

  // MARK: Helpers

  private func model(threads: Int = 1, lanes: Int? = nil) throws -> Llama {
    try Llama(
      checkpoint: small.checkpoint, compute: .float32, threadCount: threads, laneCount: lanes,
      limits: MicroBatchLimits(
        tokensPerSample: 11, samplesPerLeaf: 2, leavesPerMicroBatch: leaves.count))
  }

  private func measurement(threads: Int = 1, lanes: Int? = nil) throws -> SampleMeasurement {
    SampleMeasurement(try model(threads: threads, lanes: lanes), catalog: gatherers)
  }

  private func report(_ measurement: SampleMeasurement, _ node: TreeNode) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try measurement.run(
      kinds, Array(leaves[tree.leaves(of: node)]), of: node, samplesPerLeaf: 2
    ) {
    } emit: { part in
      bytes += StatisticReport.encode(part)
    }
    return bytes
  }

  private func reader(_ bytes: [UInt8]) -> ReportReader {
    ReportReader(byteCount: bytes.count, digest: Digest(hashing: bytes)) { Array(bytes[$0]) }
  }

  private func ledger() throws -> RunLedger {
    try RunLedger(
      storage: MemoryLedgerStorage(), tree: tree, shape: small.shape, catalog: statistics,
      digest: { Digest(hashing: $0) })
  }

  private func keep(
    _ bytes: [UInt8], of node: TreeNode, in ledger: inout RunLedger
  ) throws -> RunLedger.Verdict {
    let leaves = leaves[tree.leaves(of: node)]
    let unit = WorkUnit(
      node: node, samplesPerLeaf: leaves.map(\.sampleCount), tokensPerSample: 11,
      tokens: leaves.flatMap(\.tokens))
    var report = reader(bytes)
    return try ledger.keep(
      &report, of: .measureSamples(kinds, unit), expecting: Digest(hashing: bytes))
  }

  private func norms() throws -> [PerTap<WeightNorms>] {
    var parts: [StatisticKey: StatisticPart] = [:]
    for layer in small.shape.layers.indices {
      try WeightMeasurement(small.checkpoint).run([WeightNorms.kind], layer: layer) {
      } emit: {
        parts[$0.key] = $0
      }
    }
    return try small.shape.layers.indices.map { layer in
      try PerTap { tap in
        let key = StatisticKey(WeightNorms.kind, TapPlace(layer: layer, tap), node: nil)
        return try StatisticCatalog.decode(
          #require(parts[key]), as: WeightNorms.self, small.shape)
      }
    }
  }
}
