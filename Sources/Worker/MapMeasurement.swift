internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Host
internal import Kernels
internal import LeastSquares
internal import Measurement
internal import Statistics
internal import SystemPackage
internal import Transformer

/// Measures single maps: the order in which their units go, and what the model loses without them.
///
/// All of it from the samples that were not held out, so that those that were tell the loss. What is
/// left of the map is measured on the way of the removal, whose weights are fitted at every level.
final class MapMeasurement {
  let path: String
  private let checkpoint: Checkpoint
  private let moments: SecondMomentsFolder
  private let algebra: AlgebraTeam
  private let progress: TaskProgress
  private let model: () throws -> Llama
  /// Of the samples of the task before.
  private var divergences: DivergenceMeasurement?

  /// λ of the order and so of the fits whose losses are measured; on which it hardly matters.
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
    moments = try SecondMomentsFolder(ofWorker: path, checkpoint)
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
    guard work.levels.allSatisfy({ $0 < weight.channelCount / width }) else {
      throw PlanError.otherShape
    }
    var losses: [Int: Double] = [:]
    let order = try RemovalOrder(
      of: weight, unitWidth: width, batch: RemovalOrder.batch(ofUnits: weight.channelCount / width),
      from: covariance, ridge: MapMeasurement.ridge, on: algebra,
      visiting: divergences == nil ? [] : work.levels
    ) { stage in
      guard let divergences else { return }
      losses[stage.keptUnits.count] = try divergences.divergence(
        of: pruning(place, stage), from: place.step
      ) {
        try progress.step()
      }
    }
    for kind in work.kinds {
      switch kind {
      case RemovalCurve.kind:
        let curve = RemovalCurve(order: order.order, errors: order.errors, unitWidth: width)
        try emit(StatisticPart(curve, at: place, node: nil))
      case ModuleLosses.kind:
        guard divergences != nil else { throw PlanError.otherShape }
        let levels = work.levels.map { ModuleLosses.Level(kept: $0, divergence: losses[$0]!) }
        try emit(StatisticPart(ModuleLosses(levels), at: place, node: nil))
      default: throw MeasurementError.unknownKind(kind)
      }
    }
  }

  /// The dense model with one map that is left with some of its units.
  private func pruning(_ place: TapPlace, _ stage: RemovalStage) throws -> ModelPruning {
    let shape = checkpoint.configuration.shape
    var plan = PruningPlan(keepingAllOf: shape)
    let unitCount = shape.unitCount(layer: place.layer, tap: place.tap)
    var kept = Array(repeating: false, count: unitCount)
    for unit in stage.keptUnits { kept[unit] = true }
    plan.layers[place.layer][place.tap] = kept
    let existing = try checkpoint.bias(at: place)
    let type = try checkpoint.weightView(at: place).elementType
    let biasType = existing?.elementType ?? type
    let biases =
      existing.map { zip($0.float64Values(), stage.addedBias).map(+) } ?? stage.addedBias
    var row = Array(repeating: 0.0, count: stage.keptChannels.count)
    var maps = shape.layers.map { _ in PerTap<PrunedMap?>(attentionOutput: nil, mlpDown: nil) }
    maps[place.layer][place.tap] = PrunedMap(
      bias: biases.map { biasType.rounded($0) },
      weight: try FittedWeight(
        elementType: type, rows: stage.addedBias.count, columns: row.count,
        inFileOf: Host.temporaryFolder.string
      ) { output, values in
        row.withUnsafeMutableBufferPointer { row in
          stage.readRow(output, to: row.baseAddress!)
          for column in row.indices { values[column] = type.rounded(row[column]) }
        }
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

extension SecondMomentsFolder {
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
