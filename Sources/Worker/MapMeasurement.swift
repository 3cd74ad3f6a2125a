internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Kernels
internal import LeastSquares
internal import Measurement
internal import Statistics
internal import SystemPackage
internal import Transformer

/// Measures single maps: the order in which their units go, and what the model loses without them.
///
/// All of it from the samples that were not held out, so that those that were tell the loss.
final class MapMeasurement {
  let path: String
  private let checkpoint: Checkpoint
  private let moments: SecondMomentsFile
  private let algebra: AlgebraTeam
  private let progress: TaskProgress
  private let model: () throws -> Llama
  /// Of the samples of the task before.
  private var divergences: DivergenceMeasurement?

  /// λ of the order and of the fits whose losses are measured; on which it hardly matters.
  private static let ridge = 1e-3

  /// - Throws: ``PlanError`` where the file cannot be read, or is of another model.
  init(
    _ checkpoint: Checkpoint, secondMoments path: String, threadCount: Int,
    progress: TaskProgress, model: @escaping () throws -> Llama
  ) throws {
    self.path = path
    self.checkpoint = checkpoint
    self.progress = progress
    self.model = model
    moments = try SecondMomentsFile(ofWorker: path, checkpoint)
    algebra = try AlgebraTeam(
      ThreadTeam(threadCount: threadCount), onStep: { progress.extraStep() })
  }

  func run(_ work: MapWork, emit: (StatisticPart) throws -> Void) throws {
    let place = work.place
    let shape = checkpoint.configuration.shape
    guard shape.layers.indices.contains(place.layer) else { throw PlanError.otherShape }
    let divergences: DivergenceMeasurement? =
      if let samples = work.samples { try self.divergences(samples) } else { nil }
    if let divergences {
      progress.expect(
        steps: divergences.denseStepCount
          + work.levels.count * divergences.stepCount(from: place.step))
    }
    let weight = try checkpoint.weightRows(at: place)
    let covariance = try Covariance(moments.moments(place, .kept))
    let width = shape.unitWidth(layer: place.layer, tap: place.tap)
    let order = try RemovalOrder(
      of: weight, unitWidth: width, batch: RemovalOrder.batch(ofUnits: weight.channelCount / width),
      from: covariance, ridge: MapMeasurement.ridge, on: algebra)
    for kind in work.kinds {
      switch kind {
      case RemovalCurve.kind:
        let curve = RemovalCurve(order: order.order, errors: order.errors, unitWidth: width)
        try emit(StatisticPart(curve, at: place, node: nil))
      case ModuleLosses.kind:
        guard let divergences else { throw PlanError.otherShape }
        let losses = try losses(work, order, weight, covariance, divergences)
        try emit(StatisticPart(losses, at: place, node: nil))
      default: throw MeasurementError.unknownKind(kind)
      }
    }
  }

  private func losses(
    _ work: MapWork, _ order: RemovalOrder, _ weight: WeightRows, _ covariance: Covariance,
    _ divergences: DivergenceMeasurement
  ) throws -> ModuleLosses {
    guard work.levels.allSatisfy({ $0 < order.order.count }) else { throw PlanError.otherShape }
    var levels: [ModuleLosses.Level] = []
    for kept in work.levels {
      let pruning = try pruning(work.place, keeping: order.kept(kept), weight, covariance)
      let divergence = try divergences.divergence(of: pruning, from: work.place.step) {
        try progress.step()
      }
      levels.append(ModuleLosses.Level(kept: kept, divergence: divergence))
    }
    return ModuleLosses(levels)
  }

  /// The dense model with one map fitted to some of its units.
  private func pruning(
    _ place: TapPlace, keeping units: [Bool], _ weight: WeightRows, _ covariance: Covariance
  ) throws -> ModelPruning {
    let shape = checkpoint.configuration.shape
    var plan = PruningPlan(keepingAllOf: shape)
    plan.layers[place.layer][place.tap] = units
    let existing = try checkpoint.bias(at: place)
    let fit = try LeastSquaresFit(
      of: weight, keeping: plan.keptChannels(layer: place.layer, tap: place.tap, shape: shape),
      from: covariance, ridge: MapMeasurement.ridge, existing: existing?.float64Values(),
      on: algebra)
    let type = try checkpoint.weightView(at: place).elementType
    let biasType = existing?.elementType ?? type
    var maps = shape.layers.map { _ in PerTap<PrunedMap?>(attentionOutput: nil, mlpDown: nil) }
    maps[place.layer][place.tap] = PrunedMap(
      bias: fit.bias.map { biasType.rounded($0) },
      weight: try FittedWeight(rows: weight.outputCount, columns: fit.keptChannels.count) {
        row, values in
        let fitted = fit.weight.values + row * fit.weight.columns
        for column in fit.keptChannels.indices { values[column] = type.rounded(fitted[column]) }
      })
    return ModelPruning(plan: plan, maps: maps)
  }

  private func divergences(_ samples: WorkUnit) throws -> DivergenceMeasurement {
    let leaves = samples.leaves
    if let divergences, divergences.isOf(leaves) { return divergences }
    divergences = nil
    let made = try DivergenceMeasurement(try model(), leaves)
    divergences = made
    return made
  }
}

extension SecondMomentsFile {
  /// - Throws: ``PlanError`` where the file cannot be read, or is of another model.
  init(ofWorker path: String, _ checkpoint: Checkpoint) throws {
    do {
      try self.init(path: FilePath(path))
    } catch {
      throw PlanError.unreadableSecondMoments("\(error)")
    }
    guard modelDigest == checkpoint.digest else {
      throw PlanError.unreadableSecondMoments("\(path) is of another model")
    }
  }
}
