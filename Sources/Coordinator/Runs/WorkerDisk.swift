internal import Checkpoint
internal import Coordination
internal import FlapCore
internal import Pruning
internal import Statistics

/// What a worker keeps in files meanwhile, at the most, computed before the run: residual streams of
/// its samples, sums until they are added up, and what is left of a layer's experts while its losses are
/// measured.
struct WorkerDisk {
  /// f32, of the dense model and the pruned one, and of the next step while it is made.
  let streamBytes: Int
  /// Its units' sums of two rounds, and those that it adds up itself.
  let sumBytes: Int
  /// Weights of all experts of a layer at all levels.
  let levelBytes: Int

  var totalBytes: Int { streamBytes + max(sumBytes, levelBytes) }

  /// - Parameter bytesPerWeight: of the checkpoint.
  init(_ pass: SampledPass, _ cluster: ClusterPlan, bytesPerWeight: Int) {
    let units = pass.sumUnits(cluster.workerCount).map(\.node)
    let unitsPerWorker = (units.count + cluster.workerCount - 1) / cluster.workerCount
    let leaves = units.map { pass.layout.tree.leaves(of: $0).count }.max() ?? 0
    let tokens = leaves * pass.samplesPerLeaf * pass.tokens.tokensPerSample
    streamBytes = (2 * unitsPerWorker + 1) * tokens * pass.shape.hiddenSize * 4
    let places = TapPlace.all(in: pass.shape.layers.indices)
    func largest(_ byteCount: (MapChannels) -> Int) -> Int {
      places.map { byteCount(pass.shape.mapChannels(layer: $0.layer, tap: $0.tap)) }.max() ?? 0
    }
    let dense = largest { SecondMoments.byteCount($0) }
    // Experts are not fitted to the pruned model's inputs.
    let targets = largest { inputs in
      inputs.mapCount > 1
        ? 0
        : TargetMoments.layout(
          channelCount: inputs.channelCount, outputCount: pass.shape.hiddenSize
        ).byteCount
    }
    let experts = places.map { pass.shape.mapChannels(layer: $0.layer, tap: $0.tap) }
    levelBytes =
      experts.filter { $0.mapCount > 1 }.map { inputs in
        inputs.mapCount * LossLevels.counts(of: inputs.width).reduce(0, +)
      }.max().map { $0 * pass.shape.hiddenSize * bytesPerWeight } ?? 0
    let layers = SumRounds.layersPerRound(pass, cluster, workerCount: cluster.workerCount)
    // Kept and held out, of both taps.
    let layerBytes = 4 * dense
    sumBytes = max(
      2 * unitsPerWorker * layers * layerBytes + 2 * dense, 2 * unitsPerWorker * targets + targets)
  }
}
