internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Host
internal import Measurement
internal import Peers
internal import Statistics
internal import Storage
internal import SystemPackage
internal import Transformer
internal import Wire

/// Sums from which maps are fitted: what is held of them, and who adds them up.
extension TaskRunner {
  func sum(_ work: SumWork, _ attempt: TaskAttempt) throws -> ComputeOutcome {
    sums.forget(before: work.round - 1)
    var held: [HeldSum] = []
    func keep(_ sum: MeasuredSum) throws {
      let digest = try put(sum, work, attempt)
      held.append(HeldSum(sum.place, sum.kind, digest))
    }
    switch work.inputs {
    case .dense(let layers): try sumProducts(layers, work.unit, keep)
    case .pruned(let place, let plan): try sumTargets(place, work.unit, plan: plan, keep)
    }
    var report = try SpoolWriter(in: Host.temporaryFolder)
    try report.write(WireCodec.encode(held))
    let endpoint = work.folder == nil ? peers?.server.endpoint : nil
    return .result(try report.finish(), endpoint: endpoint ?? "")
  }

  /// Writes a sum to where it waits for being added up.
  private func put(
    _ sum: MeasuredSum, _ work: SumWork, _ attempt: TaskAttempt
  ) throws -> Digest {
    func write(to file: inout some ByteOutput & ~Copyable) throws {
      try withUnsafeBytes(of: UInt64(sum.count).littleEndian) { try file.write($0) }
      for piece in sum.pieces { try file.write(piece) }
    }
    guard let folder = work.folder else {
      var file = try SpoolWriter(in: Host.temporaryFolder)
      try write(to: &file)
      let spooled = try file.finish()
      sums.put(spooled, round: work.round)
      return spooled.digest
    }
    let name = SumWork.fileName(sum.place, sum.kind, work.unit.node)
    var file = try PassingFile(
      destination: FilePath(folder).appending(name), attempt: attempt.fileSuffix)
    try write(to: &file)
    return try file.finish().digest
  }

  private func sumProducts(
    _ layers: Range<Int>, _ unit: WorkUnit, _ keep: (MeasuredSum) throws -> Void
  ) throws {
    guard shape.layers.indices.contains(layers.lowerBound),
      layers.upperBound <= shape.layers.count, let scales = unit.scales,
      scales.taps.map(\.count)
        == TapPlace.all(in: layers).map({ shape.channelCount(layer: $0.layer, tap: $0.tap) })
    else { throw PlanError.otherShape }
    let products =
      try madeProducts
      ?? ProductMeasurement(measurement().model, folder: Host.temporaryFolder.string)
    madeProducts = products
    progress.expect(
      steps: products.stepCount(layers, leafCount: unit.samplesPerLeaf.count))
    try products.run(
      layers, unit.leaves, of: unit.node, samplesPerLeaf: samplesPerLeaf, scales: scales
    ) {
      try progress.step()
    } emit: {
      try keep($0)
    }
  }

  private func sumTargets(
    _ place: TapPlace, _ unit: WorkUnit, plan digest: Digest,
    _ keep: (MeasuredSum) throws -> Void
  ) throws {
    let (pruned, fits) = try pruned(by: digest)
    let plan = pruned.layout.plan
    let channels =
      plan.layers.indices.contains(place.layer)
      ? plan.keptChannels(layer: place.layer, tap: place.tap, shape: shape).count { $0 } : 0
    guard let exponents = unit.scales?.exponents.first?[place.tap], exponents.count == channels
    else { throw PlanError.otherShape }
    if fittedMaps.isEmpty {
      fittedMaps = shape.layers.map { _ in PerTap(attentionOutput: nil, mlpDown: nil) }
    }
    madeProducts = nil
    let targets =
      try madeTargets
      ?? TargetMeasurement(measurement().model, folder: Host.temporaryFolder.string)
    madeTargets = targets
    // Who has the first samples puts the maps where workers that come later find them.
    let publishes = unit.node.index == 0
    fits?.publish(publishes)
    for earlier in TapPlace.all(in: shape.layers.indices).prefix(place.step) {
      if fittedMaps[earlier.layer][earlier.tap] == nil {
        targets.releaseScratch()
        fittedMaps[earlier.layer][earlier.tap] = try pruned.map(at: earlier)
      } else if publishes {
        _ = try fits?.fit(layer: earlier.layer, earlier.tap, expert: nil)
      }
    }
    progress.expect(
      steps: targets.stepCount(at: place, leafCount: unit.samplesPerLeaf.count))
    var maps = fittedMaps
    for later in TapPlace.all(in: shape.layers.indices).dropFirst(place.step) {
      maps[later.layer][later.tap] = nil
    }
    try keep(
      try targets.run(
        place, unit.leaves, of: unit.node, pruning: ModelPruning(plan: plan, maps: maps),
        exponents: exponents
      ) { try progress.step() })
  }

  func merge(_ merge: SumMerge, _ attempt: TaskAttempt) throws -> ComputeOutcome {
    guard shape.layers.indices.contains(merge.place.layer), let terms else {
      throw PlanError.otherShape
    }
    let asksPeers = merge.sources.contains {
      if case .worker = $0.location { sums.find($0.digest) == nil } else { false }
    }
    let inputs = shape.mapChannels(layer: merge.place.layer, tap: merge.place.tap)
    if case .dense = merge.origin, inputs.channelCount != merge.exponents.count {
      throw PlanError.otherShape
    }
    let merging = SumMerging(
      merge, inputs, held: sums, peers: asksPeers ? peers?.client : nil,
      folder: Host.temporaryFolder.string,
      outputCount: shape.hiddenSize, progress: progress)
    let outcome = try merging.run { kept, heldOut in
      switch merge.origin {
      case .dense(let data):
        let contents = SecondMomentsFolder.Contents(
          shape: shape, modelDigest: checkpoint.digest, dataDigest: data, compute: terms.compute)
        try SecondMomentsFolder.write(
          contents, at: merge.place, exponents: merge.exponents, kept: kept, heldOut: heldOut,
          to: FilePath(merge.path), attempt: attempt.fileSuffix)
      case .pruned(let plan):
        try TargetMomentsFile.write(
          kept, outputCount: shape.hiddenSize, exponents: merge.exponents, plan: plan,
          to: FilePath(merge.path), attempt: attempt.fileSuffix)
      }
    }
    var report = try SpoolWriter(in: Host.temporaryFolder)
    try report.write(WireCodec.encode(outcome))
    return .result(try report.finish())
  }
}
