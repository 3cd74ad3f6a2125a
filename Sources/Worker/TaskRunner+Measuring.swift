internal import Coordination
internal import Export
internal import FlapCore
internal import Host
internal import Measurement
internal import Statistics
internal import Storage
internal import SystemPackage
internal import Transformer

/// The measuring kinds of work. Parts go to disk as they come, so that no report is ever in memory.
extension TaskRunner {
  func measureSamples(
    _ kinds: [StatisticKind], _ unit: WorkUnit, pruning: ModelPruning?
  ) throws -> ComputeOutcome {
    guard unit.scales?.fits(shape) ?? true else { throw PlanError.otherShape }
    let measurement = try measurement()
    measurement.model.pruning = pruning
    defer { measurement.model.pruning = nil }
    progress.expect(
      steps: measurement.stepCount(kinds, leafCount: unit.samplesPerLeaf.count))
    var report = try SpoolWriter(in: Host.temporaryFolder)
    try measurement.run(
      kinds, unit.leaves, of: unit.node, samplesPerLeaf: samplesPerLeaf, scales: unit.scales
    ) {
      try progress.step()
    } emit: { part in
      try report.write(StatisticReport.header(of: part))
      try report.write(part.bytes)
    }
    return .result(try report.finish())
  }

  func measureWeights(_ kinds: [StatisticKind], layer: Int) throws -> ComputeOutcome {
    progress.expect(steps: WeightMeasurement.stepCount)
    var report = try SpoolWriter(in: Host.temporaryFolder)
    try WeightMeasurement(checkpoint).run(kinds, layer: layer) {
      try progress.step()
    } emit: { part in
      try report.write(StatisticReport.header(of: part))
      try report.write(part.bytes)
    }
    return .result(try report.finish())
  }
}

/// What is measured of single maps.
extension TaskRunner {
  func measureMap(_ work: MapWork) throws -> ComputeOutcome {
    madeMeasurement?.releaseProducts()
    let maps = try maps(work.secondMoments)
    var report = try SpoolWriter(in: Host.temporaryFolder)
    try maps.run(work) { part in
      try report.write(StatisticReport.header(of: part))
      try report.write(part.bytes)
    }
    return .result(try report.finish())
  }

  /// With what earlier tasks computed of the same samples.
  private func maps(_ path: String) throws -> MapMeasurement {
    if let madeMaps, madeMaps.path == path { return madeMaps }
    let made = try MapMeasurement(
      checkpoint, secondMoments: path, threadCount: threadCount, progress: progress
    ) { [unowned self] in try measurement().model }
    madeMaps = made
    return made
  }
}

/// What is measured on the inputs that a pruned model brings.
extension TaskRunner {
  func measureTarget(
    _ place: TapPlace, _ unit: WorkUnit, plan digest: Digest
  ) throws -> ComputeOutcome {
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
    makeRoomForTargets()
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
        _ = try fits?.fit(layer: earlier.layer, earlier.tap)
      }
    }
    progress.expect(
      steps: targets.stepCount(at: place, leafCount: unit.samplesPerLeaf.count))
    var maps = fittedMaps
    for later in TapPlace.all(in: shape.layers.indices).dropFirst(place.step) {
      maps[later.layer][later.tap] = nil
    }
    let moments = try targets.run(
      place, unit.leaves, of: unit.node, pruning: ModelPruning(plan: plan, maps: maps),
      exponents: exponents
    ) { try progress.step() }
    var report = try SpoolWriter(in: Host.temporaryFolder)
    let part = StatisticPart(moments, at: place, node: unit.node)
    try report.write(StatisticReport.header(of: part))
    try report.write(part.bytes)
    return .result(try report.finish())
  }
}

extension WorkUnit {
  var leaves: [Leaf] {
    var next = 0
    return samplesPerLeaf.map { sampleCount in
      defer { next += sampleCount * tokensPerSample }
      return Leaf(
        tokens: Array(tokens[next..<next + sampleCount * tokensPerSample]),
        sampleCount: sampleCount, tokensPerSample: tokensPerSample)
    }
  }
}
