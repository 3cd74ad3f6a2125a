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
/// left of the map is measured on the way of the removal, whose weights are fitted at every level. The
/// experts of a layer are one module, and are left with as many neurons each.
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
    let width = shape.unitWidth(layer: place.layer, tap: place.tap)
    let unitCount = shape.unitCountPerMap(layer: place.layer, tap: place.tap)
    guard work.levels.allSatisfy({ $0 < unitCount }) else {
      throw PlanError.otherShape
    }
    let levels = divergences == nil ? [] : work.levels
    let maps = checkpoint.maps(at: place)
    var losses: [Int: Double] = [:]
    let curve: RemovalCurve
    if maps.count == 1 {
      curve = try order(of: maps[0], width, visiting: levels) { stage in
        losses[stage.keptUnits.count] = try divergences?.divergence(
          of: pruning([Left(stage, of: maps[0], checkpoint)]), from: place.step
        ) { try progress.step() }
      }
    } else {
      // Every expert is left with as many neurons, so all have to be there before any loss is measured.
      var left: [Int: [Left]] = [:]
      curve = RemovalCurve(
        maps: try maps.enumerated().map { index, map in
          var ofLevel: [Int: Left] = [:]
          let start = progress.steps.completed
          let curve = try order(of: map, width, visiting: levels) { stage in
            ofLevel[stage.keptUnits.count] = try Left(stage, of: map, checkpoint)
          }
          for (level, map) in ofLevel { left[level, default: []].append(map) }
          if index == 0 {
            progress.expectExtra(steps: (maps.count - 1) * (progress.steps.completed - start))
          }
          return curve
        })
      for level in levels {
        losses[level] = try divergences?.divergence(
          of: pruning(left.removeValue(forKey: level)!), from: place.step
        ) { try progress.step() }
      }
    }
    for kind in work.kinds {
      switch kind {
      case RemovalCurve.kind: try emit(StatisticPart(curve, at: place, node: nil))
      case ModuleLosses.kind:
        guard divergences != nil else { throw PlanError.otherShape }
        let levels = work.levels.map { ModuleLosses.Level(kept: $0, divergence: losses[$0]!) }
        try emit(StatisticPart(ModuleLosses(levels), at: place, node: nil))
      default: throw MeasurementError.unknownKind(kind)
      }
    }
  }

  /// - Parameter levels: counts of units with which `visit` sees the map.
  private func order(
    of map: FedMap, _ width: Int, visiting levels: [Int], _ visit: (RemovalStage) throws -> Void
  ) throws -> RemovalCurve {
    let weight = try checkpoint.weightRows(of: map)
    let moments = try self.moments.moments(of: map, .kept)
    let covariance =
      try map.expert == nil || self.moments.hasEnoughTokens(map)
      ? Covariance(moments) : Covariance(diagonalOf: moments)
    let order = try RemovalOrder(
      of: weight, unitWidth: width, batch: RemovalOrder.batch(ofUnits: weight.channelCount / width),
      from: covariance, ridge: MapMeasurement.ridge, on: algebra, visiting: levels, visit)
    // Errors are per token: of an expert, per token of the layer.
    let share =
      map.expert == nil
      ? 1
      : Double(moments.tokenCount) / Double(try self.moments.tokenCount(map.place, .kept))
    return RemovalCurve(
      order: order.order, errors: order.errors.map { $0 * share }, unitWidth: width)
  }

  /// What is left of a map on the way of its removal.
  private struct Left {
    let map: FedMap
    let units: [Int]
    let pruned: PrunedMap

    /// - Throws: `CheckpointError`, `OutOfMemory`.
    init(_ stage: RemovalStage, of map: FedMap, _ checkpoint: Checkpoint) throws {
      self.map = map
      units = stage.keptUnits
      let existing = try checkpoint.bias(of: map)
      let type = try checkpoint.weightView(of: map).elementType
      let biasType = existing?.elementType ?? type
      let biases =
        existing.map { zip($0.float64Values(), stage.addedBias).map(+) } ?? stage.addedBias
      var row = Array(repeating: 0.0, count: stage.keptChannels.count)
      pruned = PrunedMap(
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
    }
  }

  /// The dense model with the maps of one tap that are left with some of their units.
  private func pruning(_ left: [Left]) -> ModelPruning {
    let shape = checkpoint.configuration.shape
    var plan = PruningPlan(keepingAllOf: shape)
    var maps = shape.layers.map { _ in PerTap<PrunedMap?>(attentionOutput: nil, mlpDown: nil) }
    var expertMaps = shape.layers.map { _ in [Int: PrunedMap]() }
    for left in left {
      let place = left.map.place
      let unitCount = shape.unitCountPerMap(layer: place.layer, tap: place.tap)
      let first = (left.map.expert ?? 0) * unitCount
      for unit in first..<first + unitCount { plan.layers[place.layer][place.tap][unit] = false }
      for unit in left.units { plan.layers[place.layer][place.tap][first + unit] = true }
      if let expert = left.map.expert {
        expertMaps[place.layer][expert] = left.pruned
      } else {
        maps[place.layer][place.tap] = left.pruned
      }
    }
    return ModelPruning(plan: plan, maps: maps, expertMaps: expertMaps)
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
  func moments(of map: FedMap, _ part: Part) throws -> Moments {
    try moments(map.place, expert: map.expert, part)
  }

  /// Whether least squares has what to fit a map of an expert to, some of it held out.
  func hasEnoughTokens(_ map: FedMap) throws -> Bool {
    let tokens = try tokenCount(map.place, expert: map.expert, .all)
    let channels = shape.channels(
      layer: map.place.layer, tap: map.place.tap, expert: map.expert)
    return try tokenCount(map.place, expert: map.expert, .heldOut) > 0
      && SecondMoments.areEnough(tokens: tokens, channels: channels.count)
  }

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
