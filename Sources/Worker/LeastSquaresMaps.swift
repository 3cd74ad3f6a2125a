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
  private let checkpoint: Checkpoint
  private let plan: PruningPlan
  private let moments: SecondMomentsFile
  private let threads: Mutex<AlgebraTeam>
  /// Of each tap the last: a writer asks for a map's weight and bias one after the other.
  private let made: Mutex<PerTap<(layer: Int, map: FittedMap)?>> = Mutex(
    PerTap(attentionOutput: nil, mlpDown: nil))

  /// - Throws: ``PlanError`` where the file cannot be read, or is of another model.
  init(
    _ checkpoint: Checkpoint, _ plan: PruningPlan, momentsPath: String, threadCount: Int,
    progress: TaskProgress
  ) throws {
    self.checkpoint = checkpoint
    self.plan = plan
    do {
      moments = try SecondMomentsFile(path: FilePath(momentsPath))
    } catch {
      throw PlanError.unreadableSecondMoments("\(error)")
    }
    guard moments.modelDigest == checkpoint.digest else {
      throw PlanError.unreadableSecondMoments("\(momentsPath) is of another model")
    }
    let team = ThreadTeam(threadCount: threadCount)
    threads = Mutex(try AlgebraTeam(team, onStep: { progress.extraStep() }))
  }

  func fit(layer: Int, _ tap: Tap) throws -> FittedMap? {
    let shape = checkpoint.configuration.shape
    let kept = plan.keptChannels(layer: layer, tap: tap, shape: shape)
    guard kept.contains(false) else { return nil }
    if let made = made.withLock({ $0[tap] }), made.layer == layer { return made.map }
    let fitted = try threads.withLock { try fit(TapPlace(layer: layer, tap), kept, shape, on: $0) }
    made.withLock { $0[tap] = (layer, fitted) }
    return fitted
  }

  private func fit(
    _ place: TapPlace, _ kept: [Bool], _ shape: ModelShape, on team: AlgebraTeam
  ) throws -> FittedMap {
    let module = place.tap.moduleName(layer: place.layer)
    let map = shape.table(layer: place.layer).map(at: place.tap)
    let view = try checkpoint.tensor("\(module).weight", shape: [shape.hiddenSize, kept.count])
    let existing =
      try map.hasBias ? checkpoint.tensor("\(module).bias", shape: [shape.hiddenSize]) : nil
    let weight = WeightRows(outputCount: shape.hiddenSize, channelCount: kept.count) {
      row, values in
      Conversion.toFloat32(
        view.rows(row..<row + 1).bytes.baseAddress!, view.elementType, count: kept.count, to: values
      )
    }
    let choice = try RidgeChoice(
      of: weight, keeping: kept, from: Covariance(moments.moments(place, .kept)),
      heldOut: Covariance(moments.moments(place, .heldOut)), on: team)
    let fit = try LeastSquaresFit(
      of: weight, keeping: kept, from: Covariance(moments.moments(place, .all)),
      ridge: choice.ridge, existing: existing?.float64Values(), on: team)
    // Nobody writes to it any more.
    nonisolated(unsafe) let weights = fit.weight
    return FittedMap(bias: fit.bias) { row in
      UnsafeBufferPointer(start: weights.values + row * weights.columns, count: weights.columns)
    }
  }
}

extension Covariance {
  init(_ moments: SecondMomentsFile.Moments) {
    self.init(tokenCount: moments.tokenCount, mean: moments.mean) { row, columns, values in
      moments.readCovariance(row, columns, to: values)
    }
  }
}
