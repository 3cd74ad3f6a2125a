import Checkpoint
import Export
import FlapCore
import FlapTestKit
import Foundation
import Statistics
import Storage
import SystemPackage
import Testing

/// `statistics.safetensors` and `plan.safetensors`.
struct ResultFileTests {
  let folder: TemporaryFolder
  let shape = ModelShape(
    hiddenSize: 4, headDimension: 2, vocabularySize: 3, rmsNormEpsilon: 1e-5,
    rotaryEmbedding: RotaryEmbedding(
      theta: 500000,
      scaling: .llama3(
        factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 8192)),
    tiesEmbeddings: true, biases: Biases(gateUp: true), normalizesQueriesAndKeys: true,
    layers: [
      LayerShape(headCount: 4, keyValueHeadCount: 2, intermediateSize: 5),
      LayerShape(headCount: 2, keyValueHeadCount: 1, intermediateSize: 3, attentionWindow: 7),
    ])
  let digest = Digest(hashing: [1])

  init() throws { folder = try TemporaryFolder() }

  var statistics: StatisticsFile {
    func numbers(_ count: Int, _ start: Double) -> [Double] {
      (0..<count).map { start + Double($0) / 3 }
    }
    var statistics = ModelStatistics(sampleCount: 5)
    statistics[ChannelMoments.self] = shape.layers.indices.map { layer in
      PerTap { tap in
        let count = shape.channelCount(layer: layer, tap: tap)
        return ChannelMoments(count: 640, mean: numbers(count, -1), m2: numbers(count, 7))
      }
    }
    statistics[WeightNorms.self] = shape.layers.indices.map { layer in
      PerTap { tap in
        let count = shape.channelCount(layer: layer, tap: tap)
        return WeightNorms(squareSum: numbers(count, 2), absoluteMean: numbers(count, 3))
      }
    }
    return StatisticsFile(
      statistics: statistics, shape: shape, modelDigest: digest, dataDigest: Digest(hashing: [2]),
      compute: .bfloat16)
  }

  var plan: PlanFile {
    PlanFile(
      plan: PruningPlan(layers: [
        .init(keptGroups: [true, false], keptNeurons: [true, false, true, true, false]),
        .init(keptGroups: [true], keptNeurons: [false, true, true]),
      ]), metric: "WIFV", structure: "AL-AM", ratioAsked: 0.2, ratioReached: 0.1987, shape: shape,
      modelDigest: digest, dataDigest: nil)
  }

  @Test("a shape comes back whatever its family computes otherwise than LLaMA")
  func arithmetic() throws {
    var file = plan
    file.shape.rotaryEmbedding.rotatedDimension = 2
    file.shape.localRotaryEmbedding = RotaryEmbedding(theta: 20, scaling: .linear(factor: 2))
    file.shape.layers[0].rotation = .none
    file.shape.layers[1].rotation = .local
    file.shape.arithmetic = Arithmetic(
      activation: .geluTanh, normPlacement: .around, addsOneToNorms: true,
      normalizesHeadsTogether: true, embeddingScale: 33.5, roundsEmbeddingScale: true,
      attentionScale: 0.25, residualScale: 0.22, logitDivisor: 16, logitCap: 30)
    let path = FilePath(folder.path("plan.safetensors"))
    _ = try file.write(to: path)
    #expect(try PlanFile(path: path).shape == file.shape)
  }

  @Test(
    "a shape comes back whatever scales its rotary embedding",
    arguments: [
      .none, .linear(factor: 2.5),
      .yarn(
        YarnScaling(
          factor: 4, originalContextLength: 1024, fastTurns: 16, slowTurns: 0.5,
          truncatesRamp: false, attentionFactor: 1.25)),
      .longRope(
        LongRopeScaling(
          shortDivisors: [1.5], longDivisors: [8.25], originalContextLength: 4096,
          attentionFactor: 1.19)),
      .longRope(
        LongRopeScaling(
          shortDivisors: [1.5, 2], longDivisors: [8.25, 3], originalContextLength: 4096,
          attentionFactor: 1.19)),
    ] as [RotaryEmbedding.Scaling])
  func scalings(scaling: RotaryEmbedding.Scaling) throws {
    var file = plan
    file.shape.rotaryEmbedding.scaling = scaling
    let path = FilePath(folder.path("plan.safetensors"))
    try file.write(to: path)
    #expect(try PlanFile(path: path).shape == file.shape)
  }

  @Test("statistics come back bit for bit, under the names that are promised")
  func statisticsRoundTrip() throws {
    let path = FilePath(folder.path("statistics.safetensors"))
    try statistics.write(to: path)
    let read = try StatisticsFile(path: path)
    #expect(read.statistics.moments == statistics.statistics.moments)
    #expect(read.statistics.norms == statistics.statistics.norms)
    #expect(read.shape == shape)
    #expect(read.dataDigest == statistics.dataDigest)
    let file = try SafetensorsFile(path: path)
    #expect(file.header.metadata["format"] == "flap-statistics")
    #expect(file.header.metadata["token_count"] == "640")
    #expect(file.header.metadata["sample_count"] == "5")
    #expect(file.header.metadata["compute"] == "bf16")
    for name in ["input_mean", "input_m2", "weight_sumsq", "weight_abs_mean"] {
      #expect(file.tensor("model.layers.0.self_attn.o_proj.\(name)")?.shape == [8])
      #expect(file.tensor("model.layers.1.mlp.down_proj.\(name)")?.elementType == .float64)
    }
    let before = try SmallFile.read(path, limit: 1 << 20)
    try read.write(to: path)
    #expect(try SmallFile.read(path, limit: 1 << 20) == before)
  }

  /// The same with what is measured of maps.
  var statisticsOfMaps: StatisticsFile {
    var file = statistics
    file.statistics[RemovalCurve.self] = shape.layers.map { layer in
      PerTap { tap in
        let (units, width) =
          tap == .mlpDown
          ? (layer.intermediateSize, 1) : (layer.keyValueHeadCount, 2 * shape.headDimension)
        return RemovalCurve(
          order: (0..<units).reversed(), errors: (0..<units).map { Double($0) / 3 },
          unitWidth: width)
      }
    }
    file.statistics[ModuleLosses.self] = shape.layers.map { layer in
      PerTap { tap in
        let units = tap == .mlpDown ? layer.intermediateSize : layer.keyValueHeadCount
        return ModuleLosses(
          (1..<units).map { ModuleLosses.Level(kept: $0, divergence: 1 / Double($0)) })
      }
    }
    return file
  }

  @Test("what is measured of maps comes back bit for bit; files without it are read as ever")
  func statisticsOfMapsRoundTrip() throws {
    let path = FilePath(folder.path("statistics.safetensors"))
    let written = statisticsOfMaps
    try written.write(to: path)
    let read = try StatisticsFile(path: path)
    #expect(read.statistics[RemovalCurve.self] == written.statistics[RemovalCurve.self])
    #expect(read.statistics[ModuleLosses.self] == written.statistics[ModuleLosses.self])
    #expect(read.statistics.moments == written.statistics.moments)
    let file = try SafetensorsFile(path: path)
    let (attention, neurons) = ("model.layers.0.self_attn.o_proj", "model.layers.1.mlp.down_proj")
    #expect(file.tensor("\(attention).removal_rank")?.float64Values() == [1, 1, 1, 1, 0, 0, 0, 0])
    #expect(file.tensor("\(neurons).removal_error")?.float64Values() == [2.0 / 3, 1.0 / 3, 0])
    #expect(file.tensor("\(neurons).loss_level")?.shape == [32])
    #expect(file.tensor("\(neurons).loss")?.float64Values().prefix(3) == [1, 0.5, 0])
    let before = try SmallFile.read(path, limit: 1 << 20)
    try read.write(to: path)
    #expect(try SmallFile.read(path, limit: 1 << 20) == before)

    try statistics.write(to: path)
    let plain = try StatisticsFile(path: path)
    #expect(plain.statistics[RemovalCurve.self] == nil)
    #expect(plain.statistics[ModuleLosses.self] == nil)
    #expect(plain.statistics.moments == written.statistics.moments)
  }

  @Test(
    "damaged statistics of maps are refused",
    arguments: [
      ("model.layers.1.mlp.down_proj.loss\"", "model.layers.1.mlp.down_proj.lost\"", "it lacks"),
      (
        "model.layers.0.mlp.down_proj.removal_rank\"",
        "model.layers.0.mlp.down_proj.removal_rang\"", "it lacks"
      ),
      ("[32]", "[16, 2]", "where F64 [32] is wanted"),
    ])
  func damagedStatisticsOfMaps(text: String, replacement: String, message: String) throws {
    let path = FilePath(folder.path("statistics.safetensors"))
    try statisticsOfMaps.write(to: path)
    try edit(path, text, replacement)
    let error = #expect(throws: ResultFileError.self) { try StatisticsFile(path: path) }
    #expect(error.map { "\($0)".contains(message) } == true, "\(String(describing: error))")
  }

  @Test("plans come back, under the names that are promised")
  func planRoundTrip() throws {
    let path = FilePath(folder.path("plan.safetensors"))
    try plan.write(to: path)
    let read = try PlanFile(path: path)
    #expect(read.plan == plan.plan)
    #expect(read.ratioReached == 0.1987)
    #expect(read.dataDigest == nil)
    let file = try SafetensorsFile(path: path)
    #expect(file.tensor("model.layers.0.self_attn.kept_groups")?.float32Values() == [1, 0])
    #expect(file.tensor("model.layers.1.mlp.kept_neurons")?.float32Values() == [0, 1, 1])
  }

  @Test(
    "damaged statistics are refused",
    arguments: [
      ("flap-statistics", "flap-statistiks", "its format is flap-statistiks"),
      ("\"version\":\"1\"", "\"version\":\"9\"", "it has version 9"),
      ("\"token_count\":\"640\"", "\"token_count\":\"-64\"", "its token_count is no positive"),
      ("\"sample_count\":\"5\"", "\"sample_count\":\"641\"", "counts 641 samples for 640 tokens"),
      ("\"compute\":\"bf16\"", "\"compute\":\"bf17\"", "neither bf16 nor f32"),
      ("\"model_digest\":\"", "\"model_digest\":\"xy", "model_digest is no SHA-256"),
      ("\\\"heads\\\":4", "\\\"heads\\\":0", "shape in its metadata"),
      ("\\\"heads\\\":4", "\\\"heads\\\":6", "is F64 [8], where F64 [12] is wanted"),
      ("layers.1.mlp.down_proj.input_m2", "layers.1.mlp.down_proj.input_m3", "it lacks"),
    ])
  func damagedStatistics(text: String, replacement: String, message: String) throws {
    let path = FilePath(folder.path("statistics.safetensors"))
    try statistics.write(to: path)
    try edit(path, text, replacement)
    let error = #expect(throws: ResultFileError.self) { try StatisticsFile(path: path) }
    #expect(error.map { "\($0)".contains(message) } == true, "\(String(describing: error))")
  }

  @Test("numbers that are none are refused")
  func notFinite() throws {
    let path = FilePath(folder.path("statistics.safetensors"))
    try statistics.write(to: path)
    let file = try #require(FileHandle(forWritingAtPath: path.string))
    try file.seek(toOffset: file.seekToEnd() - 8)
    try file.write(contentsOf: withUnsafeBytes(of: Double.nan) { Data($0) })
    #expect(throws: ResultFileError.self) { try StatisticsFile(path: path) }
  }

  @Test("a plan with other than flags, or that keeps nothing of a layer, is refused")
  func damagedPlan() throws {
    let path = FilePath(folder.path("plan.safetensors"))
    for (offset, value, message) in [(1, UInt8(2), "other than 0 and 1"), (2, 0, "layer 1")] {
      try plan.write(to: path)
      let file = try #require(FileHandle(forWritingAtPath: path.string))
      // The last bytes are the neurons of layer 1: 0, 1, 1.
      try file.seek(toOffset: file.seekToEnd() - UInt64(offset))
      try file.write(contentsOf: Data(repeating: value, count: offset))
      let error = #expect(throws: ResultFileError.self) { try PlanFile(path: path) }
      #expect(error.map { "\($0)".contains(message) } == true, "\(String(describing: error))")
    }
  }

  /// Replaces text of a header and sets the header's length to match.
  private func edit(_ path: FilePath, _ text: String, _ replacement: String) throws {
    let bytes = try SmallFile.read(path, limit: 1 << 20)
    let length = bytes.withUnsafeBytes { Int($0.loadUnaligned(as: UInt64.self)) }
    let header = String(decoding: bytes[8..<8 + length], as: UTF8.self)
    let changed = header.replacing(text, with: replacement)
    try #require(changed != header)
    let size = withUnsafeBytes(of: UInt64(changed.utf8.count)) { Array($0) }
    try AtomicFile.write(size + changed.utf8 + bytes[(8 + length)...], to: path)
  }
}
