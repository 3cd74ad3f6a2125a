internal import Checkpoint
internal import Export
internal import FlapCore
internal import Host
internal import Kernels
internal import LeastSquares
internal import Statistics
internal import Synchronization
internal import SystemPackage

/// Fits the maps that the taps feed by least squares, when a writer or a forward pass asks for them.
///
/// The ridge is the one whose map predicts the samples held out best; the fit itself is made of all
/// samples. Every worker gets the same bits, so none needs another's.
///
/// Maps that are fitted to a pruned model's own inputs serve its forward passes first, then its
/// shards: they are kept, and stand in files beside the sums for workers that come later. Others are
/// asked for once.
final class LeastSquaresMaps: FittedMaps {
  /// Sums of a pruned model's own inputs: the folder of their files, and of which plan they are.
  typealias Targets = (folder: FilePath, plan: Digest)

  private let checkpoint: Checkpoint
  private let plan: PruningPlan
  private let moments: SecondMomentsFolder
  private let targets: Targets?
  private let progress: TaskProgress
  private let threads: Mutex<AlgebraTeam>
  private let made: Mutex<[FedMap: Made]> = Mutex([:])
  private let noted: Mutex<[TapPlace: MapRidge]> = Mutex([:])
  private let publishes = Atomic<Bool>(false)
  private let goesToFiles = Atomic<Bool>(false)

  /// A fit, and whether its ridge is larger than the one that was chosen.
  private typealias Fit = (fit: LeastSquaresFit, isRaised: Bool)

  private struct Made {
    let map: FittedMap
    /// It stands beside the sums, where others find it.
    var isPublished = false
  }

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
    self.progress = progress
    moments = try SecondMomentsFolder(ofWorker: momentsPath, checkpoint)
    let team = ThreadTeam(threadCount: threadCount)
    threads = Mutex(try AlgebraTeam(team, onStep: { progress.extraStep() }))
  }

  /// Whether maps that are asked for from now on are to stand beside the sums that they were fitted to:
  /// one worker that puts them there is enough.
  func publish(_ publishes: Bool) { self.publishes.store(publishes, ordering: .relaxed) }

  /// From now on somebody keeps all maps that are asked for, which may be as large as half of the model:
  /// their weights lie in files without a name.
  func keepInFiles() { goesToFiles.store(true, ordering: .relaxed) }

  func fit(layer: Int, _ tap: Tap, expert: Int?) throws -> FittedMap? {
    let place = TapPlace(layer: layer, tap)
    let map = try fit(FedMap(place, expert: expert))
    // Those of experts would be a table of thousands.
    if let map, expert == nil {
      let ridge = MapRidge(place: place, ridge: map.ridge, isRaised: map.isRidgeRaised)
      noted.withLock { $0[place] = ridge }
    }
    return map
  }

  /// Of all maps that anybody has asked for, in their order.
  var ridges: [MapRidge] {
    noted.withLock { $0.values.sorted { $0.place.step < $1.place.step } }
  }

  /// nil where the weights stay, those of the channels that stay.
  private func fit(_ map: FedMap) throws -> FittedMap? {
    let shape = checkpoint.configuration.shape
    let place = map.place
    let kept = Array(
      plan.keptChannels(layer: place.layer, tap: place.tap, shape: shape)[
        shape.channels(layer: place.layer, tap: place.tap, expert: map.expert)])
    let first = plan.firstPrunedStep
    let refitted = first.map { place.step >= $0 } ?? false ? targets : nil
    guard kept.contains(false) || refitted != nil else { return nil }
    guard let targets = refitted else { return try denseMap(map, kept) }
    var found =
      if let known = made.withLock({ $0[map] }) {
        known
      } else if let known = try published(place, kept, targets) {
        Made(map: known, isPublished: true)
      } else {
        Made(map: try refittedMap(place, kept, targets))
      }
    if !found.isPublished, publishes.load(ordering: .relaxed) {
      if try published(place, kept, targets) == nil { try publish(found.map, place, targets) }
      found.isPublished = true
    }
    made.withLock { $0[map] = found }
    return found.map
  }

  private func denseMap(_ map: FedMap, _ kept: [Bool]) throws -> FittedMap? {
    if let known = made.withLock({ $0[map] }) { return known.map }
    guard try map.expert == nil || moments.hasEnoughTokens(map) else { return nil }
    let fitted = try threads.withLock { team in
      try rounded(
        denseFit(map, kept, on: team), map,
        inFileOf: goesToFiles.load(ordering: .relaxed) ? Host.temporaryFolder.string : nil)
    }
    // A writer asks for a map's weight and bias one after the other.
    made.withLock { made in
      made = made.filter { $0.key.place.tap != map.place.tap }
      made[map] = Made(map: fitted)
    }
    return fitted
  }

  private func refittedMap(
    _ place: TapPlace, _ kept: [Bool], _ targets: Targets
  ) throws -> FittedMap {
    try threads.withLock { team in
      let fit = try refit(place, kept, to: targets, on: team)
      return try rounded(fit, FedMap(place), inFileOf: Host.temporaryFolder.string)
    }
  }

  /// On the dense model's inputs.
  private func denseFit(
    _ map: FedMap, _ kept: [Bool], on team: AlgebraTeam
  ) throws -> Fit {
    let weight = try checkpoint.weightRows(of: map)
    let (ridge, isRaised) = try ridge(map, kept, weight, on: team)
    let fit = try LeastSquaresFit(
      of: weight, keeping: kept, from: Covariance(moments.moments(of: map, .all)), ridge: ridge,
      existing: try checkpoint.bias(of: map)?.float64Values(), on: team)
    return (fit, isRaised || fit.ridge != ridge)
  }

  private func ridge(
    _ map: FedMap, _ kept: [Bool], _ weight: WeightRows, on team: AlgebraTeam
  ) throws -> (ridge: Double, isRaised: Bool) {
    guard kept.contains(false) else { return (LeastSquaresMaps.ridgeOfWhole, false) }
    let choice = try RidgeChoice(
      of: weight, keeping: kept, from: Covariance(moments.moments(of: map, .kept)),
      heldOut: Covariance(moments.moments(of: map, .heldOut)), on: team)
    return (choice.ridge, choice.isRaised)
  }

  /// On the pruned model's own inputs, which are only those that stay.
  private func refit(
    _ place: TapPlace, _ kept: [Bool], to targets: Targets, on team: AlgebraTeam
  ) throws -> Fit {
    let whole = try checkpoint.weightRows(of: FedMap(place))
    let (ridge, isRaised) = try ridge(FedMap(place), kept, whole, on: team)
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
    let fit = try LeastSquaresFit(
      of: weight, keeping: Array(repeating: true, count: weight.channelCount),
      from: Covariance(file), ridge: ridge, on: team)
    return (fit, isRaised || fit.ridge != ridge)
  }
}

/// What is kept of a fit.
extension LeastSquaresMaps {
  private func rounded(
    _ made: Fit, _ map: FedMap, inFileOf folder: String?
  ) throws -> FittedMap {
    let fit = made.fit
    let type = try checkpoint.weightView(of: map).elementType
    return FittedMap(
      weight: try FittedWeight(rounding: fit.weight, to: type, inFileOf: folder), bias: fit.bias,
      ridge: fit.ridge, isRidgeRaised: made.isRaised)
  }

  /// What another worker has fitted; nil: nobody has. What cannot be read is fitted again.
  private func published(
    _ place: TapPlace, _ kept: [Bool], _ targets: Targets
  ) throws -> FittedMap? {
    let weight = try checkpoint.weightView(of: FedMap(place))
    return try? FittedMapFile.read(
      FittedMapFile.path(of: place, in: targets.folder), plan: targets.plan,
      type: weight.elementType, rows: weight.shape[0], columns: kept.count { $0 })
  }

  private func publish(_ map: FittedMap, _ place: TapPlace, _ targets: Targets) throws {
    // Others may do the same at the same time.
    let attempt = String(UInt64.random(in: .min ... .max), radix: 16)
    try FittedMapFile.write(
      map, plan: targets.plan, to: FittedMapFile.path(of: place, in: targets.folder),
      attempt: attempt, onStep: progress.extraStep)
  }
}

extension FittedWeight {
  /// - Parameters:
  ///   - matrix: as it was fitted.
  ///   - type: of the checkpoint's own.
  ///   - folder: where it may be written to; nil: it stays in memory.
  init(
    rounding matrix: Matrix, to type: ElementType, inFileOf folder: String?
  ) throws(OutOfMemory) {
    try self.init(
      elementType: type, rows: matrix.rows, columns: matrix.columns, inFileOf: folder
    ) { row, values in
      let fitted = matrix.values + row * matrix.columns
      for column in 0..<matrix.columns { values[column] = type.rounded(fitted[column]) }
    }
  }
}

extension Covariance {
  /// As if no channel said anything of another: what is fitted to it is what FLAP's scores and biases are.
  init(diagonalOf moments: SecondMomentsFolder.Moments) {
    self.init(tokenCount: max(moments.tokenCount, 1), mean: moments.mean) { row, columns, values in
      values.update(repeating: 0, count: columns.count)
      guard columns.contains(row) else { return }
      moments.readCovariance(row, row..<row + 1, to: values + row - columns.lowerBound)
    }
  }

  init(_ moments: SecondMomentsFolder.Moments) {
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
