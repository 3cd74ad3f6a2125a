internal import Checkpoint
internal import Export
internal import FlapCore
internal import Kernels
internal import LeastSquares
internal import Statistics
internal import Synchronization
internal import SystemPackage

/// Fits the maps that the taps feed by least squares, when a writer asks for them.
///
/// The ridge is the one whose map predicts the samples held out best; the fit itself is made of all
/// samples. Every worker gets the same bits, so none needs another's.
final class LeastSquaresMaps: FittedMaps {
  /// Sums of a pruned model's own inputs: the folder of their files, and of which plan they are.
  typealias Targets = (folder: FilePath, plan: Digest)

  private let checkpoint: Checkpoint
  private let plan: PruningPlan
  private let moments: SecondMomentsFile
  private let targets: Targets?
  private let threads: Mutex<AlgebraTeam>
  /// Of each tap the last: a writer asks for a map's weight and bias one after the other.
  private let made: Mutex<PerTap<(layer: Int, map: FittedMap)?>> = Mutex(
    PerTap(attentionOutput: nil, mlpDown: nil))

  /// λ of a map that keeps all channels: only what was lost before it is to be made up for.
  private static let ridgeOfWhole = 1e-3

  /// - Throws: ``PlanError`` where the file cannot be read, or is of another model.
  init(
    _ checkpoint: Checkpoint, _ plan: PruningPlan, momentsPath: String, targets: Targets?,
    threadCount: Int, progress: TaskProgress
  ) throws {
    self.checkpoint = checkpoint
    self.plan = plan
    self.targets = targets
    moments = try SecondMomentsFile(ofWorker: momentsPath, checkpoint)
    let team = ThreadTeam(threadCount: threadCount)
    threads = Mutex(try AlgebraTeam(team, onStep: { progress.extraStep() }))
  }

  func fit(layer: Int, _ tap: Tap) throws -> FittedMap? {
    let place = TapPlace(layer: layer, tap)
    let shape = checkpoint.configuration.shape
    let kept = plan.keptChannels(layer: layer, tap: tap, shape: shape)
    let first = plan.firstPrunedStep
    let isRefitted = targets != nil && first.map { place.step >= $0 } ?? false
    guard kept.contains(false) || isRefitted else { return nil }
    if let made = made.withLock({ $0[tap] }), made.layer == layer { return made.map }
    let fit: LeastSquaresFit = try threads.withLock { team in
      if isRefitted, let targets { return try refit(place, kept, to: targets, on: team) }
      return try denseFit(place, kept, on: team)
    }
    // Nobody writes to it any more.
    nonisolated(unsafe) let weights = fit.weight
    let fitted = FittedMap(bias: fit.bias) { row in
      UnsafeBufferPointer(start: weights.values + row * weights.columns, count: weights.columns)
    }
    made.withLock { $0[tap] = (layer, fitted) }
    return fitted
  }

  /// On the dense model's inputs.
  private func denseFit(
    _ place: TapPlace, _ kept: [Bool], on team: AlgebraTeam
  ) throws -> LeastSquaresFit {
    let weight = try checkpoint.weightRows(at: place)
    return try LeastSquaresFit(
      of: weight, keeping: kept, from: Covariance(moments.moments(place, .all)),
      ridge: try ridge(place, kept, weight, on: team),
      existing: try checkpoint.bias(at: place)?.float64Values(), on: team)
  }

  private func ridge(
    _ place: TapPlace, _ kept: [Bool], _ weight: WeightRows, on team: AlgebraTeam
  ) throws -> Double {
    guard kept.contains(false) else { return LeastSquaresMaps.ridgeOfWhole }
    return try RidgeChoice(
      of: weight, keeping: kept, from: Covariance(moments.moments(place, .kept)),
      heldOut: Covariance(moments.moments(place, .heldOut)), on: team
    ).ridge
  }

  /// On the pruned model's own inputs, which are only those that stay.
  private func refit(
    _ place: TapPlace, _ kept: [Bool], to targets: Targets, on team: AlgebraTeam
  ) throws -> LeastSquaresFit {
    let whole = try checkpoint.weightRows(at: place)
    let ridge = try ridge(place, kept, whole, on: team)
    let file: TargetMomentsFile
    do {
      file = try TargetMomentsFile(
        path: TargetMomentsFile.path(of: place, in: targets.folder), plan: targets.plan)
    } catch {
      throw PlanError.unreadableSecondMoments("\(error)")
    }
    let weight = whole.selecting(channels: kept.indices.filter { kept[$0] })
    guard file.inputMean.count == weight.channelCount, file.targetMean.count == weight.outputCount
    else { throw PlanError.otherShape }
    // What the map is to give has its own bias in it.
    return try LeastSquaresFit(
      of: weight, keeping: Array(repeating: true, count: weight.channelCount),
      from: Covariance(file), ridge: ridge, on: team)
  }
}

extension Covariance {
  init(_ moments: SecondMomentsFile.Moments) {
    self.init(tokenCount: moments.tokenCount, mean: moments.mean) { row, columns, values in
      moments.readCovariance(row, columns, to: values)
    }
  }
}

extension Covariance {
  /// With what the map should give.
  fileprivate init(_ file: TargetMomentsFile) {
    let cross = Matrix(rows: file.targetMean.count, columns: file.inputMean.count)
    for output in file.targetMean.indices {
      file.readCross(output, to: cross.values + output * cross.columns)
    }
    self.init(
      tokenCount: file.tokenCount, mean: file.inputMean,
      target: Target(cross: cross, mean: file.targetMean)
    ) { row, columns, values in
      file.readCovariance(row, columns, to: values)
    }
  }
}
