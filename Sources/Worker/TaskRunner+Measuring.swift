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
    let measurement = try measurement()
    measurement.model.pruning = pruning
    defer { measurement.model.pruning = nil }
    progress.expect(
      steps: measurement.stepCount(kinds, leafCount: unit.samplesPerLeaf.count))
    var report = try SpoolWriter(in: Host.temporaryFolder)
    try measurement.run(
      kinds, unit.leaves, of: unit.node, samplesPerLeaf: samplesPerLeaf
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
