internal import Checkpoint
internal import Export
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

  /// What decides the answers to questions.
  init(_ inputs: RunInputs, _ pass: QuestionPass) {
    self.init(inputs, nil)
    add("questions digest", pass.digest.hexadecimal)
    add("--compute", pass.compute.rawValue)
  }

  /// What a statistics file says of the run that made it; all else as in another identity.
  init(_ other: RunIdentity, of file: StatisticsFile) {
    let said = [
      "model digest": file.modelDigest.hexadecimal, "data digest": file.dataDigest.hexadecimal,
      "--samples": "\(file.statistics.sampleCount)", "--compute": file.compute.rawValue,
    ]
    self.init(facts: other.facts.map { ($0.name, said[$0.name] ?? $0.value) })
  }

  mutating func add(_ search: SearchOptions) {
    add("--metric", search.metric.rawValue)
    add("--structure", search.search.structure.rawValue)
    add("--ratio", "\(search.search.ratio)")
    add("--groups-removed", search.search.groupsRemoved.map(String.init) ?? "not set")
    if search.search.structure == .adaptive {
      add("--published-cut", "\(search.search.cut == .published)")
    }
    add("--uniform", "\(search.isUniform)")
    add("--round-to", "\(search.rounding)")
    add("--tensor-parallel", "\(search.ranks)")
    for (name, value) in search.sparingOptions + search.expertOptions { add(name, value) }
  }

  /// `--format` is not among them: it adds a file and changes none.
  mutating func add(_ write: WriteOptions, _ compensation: CompensationMethod) {
    add("--compensation", compensation.rawValue)
    add("--max-shard-size", "\(write.maximumShardBytes)")
  }
}
