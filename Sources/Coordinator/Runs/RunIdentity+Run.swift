internal import Checkpoint
internal import FlapCore
internal import Journal
internal import Pruning
internal import Statistics

extension RunIdentity {
  /// What decides the bits of a calibration.
  init(_ inputs: RunInputs, _ pass: SampledPass?) {
    self.init()
    add("version", SoftwareVersion.current)
    add("model digest", inputs.checkpoint.digest.hexadecimal)
    guard let pass else { return }
    add("data digest", pass.tokens.digest.hexadecimal)
    add("--samples", "\(pass.tokens.sampleCount)")
    add("--compute", pass.compute.rawValue)
    add("--tokens-per-leaf", "\(pass.layout.samplesPerLeaf * pass.tokens.tokensPerSample)")
  }

  mutating func add(_ search: SearchOptions) {
    add("--metric", search.metric.rawValue)
    add("--structure", search.search.structure.rawValue)
    add("--ratio", "\(search.search.ratio)")
    add("--groups-removed", search.search.groupsRemoved.map(String.init) ?? "not set")
    add("--uniform", "\(search.isUniform)")
    add("--round-to", "\(search.rounding)")
    add("--tensor-parallel", "\(search.ranks)")
  }

  mutating func add(_ write: WriteOptions) {
    add("--compensation", "\(write.compensates)")
    add("--max-shard-size", "\(write.maximumShardBytes)")
    add("--format", write.format.rawValue)
  }
}
