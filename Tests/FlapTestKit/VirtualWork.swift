public import Coordination
public import FlapCore
public import Statistics

/// Work as every honest worker does it, in virtual statistics.
public enum VirtualWork {
  public static let catalog = StatisticCatalog([
    VirtualStatistic<FirstName>.self, VirtualStatistic<SecondName>.self, VirtualWeights.self,
    VirtualMap.self,
  ])
  /// The kinds that are measured of samples.
  public static let kinds = [FirstName.kind, SecondName.kind]
  /// At every tap.
  public static let channelCount = 2

  /// A model of so many layers.
  public static func shape(layerCount: Int) -> ModelShape {
    ModelShape(
      hiddenSize: 2, headDimension: channelCount, vocabularySize: 2, rmsNormEpsilon: 1,
      rotaryEmbedding: RotaryEmbedding(theta: 1), tiesEmbeddings: true, biases: Biases(),
      layers: Array(
        repeating: LayerShape(
          headCount: 1, keyValueHeadCount: 1, intermediateSize: channelCount),
        count: layerCount))
  }

  /// A stand-in for SHA-256, quick in debug builds: FNV-1a.
  public static func digest(of bytes: [UInt8]) -> Digest {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ UInt64(bytes.count)
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    let words = (0..<4).map { (hash &+ UInt64($0)) &* 0x9E37_79B9_7F4A_7C15 }
    return Digest(
      bytes: words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } })!
  }

  /// Tensors of the virtual model; a task reads one of them, or all.
  static let tensorCount = 3

  static func tensors(of work: Work) -> [Int] {
    switch work {
    case .measureSamples(_, let unit, _): unit.node.index.isMultiple(of: 2) ? [0, 1] : [0]
    case .measureWeights: [1]
    case .measureMap: [1, 2]
    case .score: [0, 1, 2]
    case .sum: [0, 2]
    case .merge: []
    case .writeShard: [0, 1, 2]
    }
  }

  static func checksum(ofTensor tensor: Int, isDamaged: Bool = false) -> TensorChecksum {
    TensorChecksum(tensor: tensor, Checksum(high: isDamaged ? 1 : 0, low: UInt64(tensor)))
  }

  /// The bytes that a worker sends, or writes as a shard.
  public static func result(of work: Work, layerCount: Int = 1) -> [UInt8] {
    let shape = shape(layerCount: layerCount)
    switch work {
    case .measureSamples(let kinds, let unit, _):
      let keys = try? catalog.keys(of: kinds, node: unit.node, in: shape)
      return (keys ?? []).flatMap { key in
        let first = unit.node.index << unit.node.level
        let tree = CanonicalTree(leafCount: first + unit.samplesPerLeaf.count)
        return StatisticReport.encode(part(key, tree))
      }
    case .measureWeights(_, let layer):
      return TapPlace.all(in: layer..<layer + 1).flatMap { place in
        StatisticReport.encode(StatisticPart(VirtualWeights(at: place), at: place, node: nil))
      }
    case .measureMap(let work):
      return StatisticReport.encode(
        StatisticPart(VirtualMap(at: work.place), at: work.place, node: nil))
    case .score(let work):
      return SpanScore.encode(
        work.spans.map {
          SpanScore(logLikelihood: -Double($0.position), isGreedy: $0.tokens.count == 1)
        })
    case .sum(let work): return encode(sums(of: work).map(\.sum))
    case .merge: preconditionFailure("what comes of it depends on who holds what")
    case .writeShard(let index): return Array("shard \(index)".utf8)
    }
  }

  private static func part(_ key: StatisticKey, _ tree: CanonicalTree) -> StatisticPart {
    func made<Name: VirtualName>(_: Name.Type) -> StatisticPart {
      let value: VirtualStatistic<Name> = value(key.place!, node: key.node!, tree)
      return StatisticPart(value, at: key.place, node: key.node)
    }
    return key.kind == FirstName.kind ? made(FirstName.self) : made(SecondName.self)
  }

  /// The value of a node at a tap, as one worker computes it.
  static func value<Name: VirtualName>(
    _ place: TapPlace, node: TreeNode, _ tree: CanonicalTree
  ) -> VirtualStatistic<Name> {
    var reducer = TreeReducer<VirtualStatistic<Name>>(tree: tree, target: node)
    for leaf in tree.leaves(of: node) {
      _ = reducer.accept(VirtualStatistic(leaf: leaf, at: place), of: .leaf(leaf))
    }
    return reducer.result!
  }

  /// What is wrong with the statistics that a finished ledger holds.
  public static func differences(
    in ledger: RunLedger, leafCount: Int, layerCount: Int
  ) throws -> [String] {
    let tree = CanonicalTree(leafCount: leafCount)
    func differences<Name: VirtualName>(_: Name.Type, _ place: TapPlace) throws -> [String] {
      let expected: VirtualStatistic<Name> = value(place, node: tree.root, tree)
      let found = try ledger.value(of: VirtualStatistic<Name>.self, at: place)
      return found == expected ? [] : ["\(Name.kind) of \(place) has other bits"]
    }
    return try TapPlace.all(in: 0..<layerCount).flatMap { place in
      let weights = try ledger.value(of: VirtualWeights.self, at: place)
      let map =
        try ledger.has(VirtualMap.kind, at: place)
        ? ledger.value(of: VirtualMap.self, at: place) : nil
      return try differences(FirstName.self, place) + differences(SecondName.self, place)
        + (weights == VirtualWeights(at: place) ? [] : ["the weights of \(place) are others"])
        + (map == VirtualMap(at: place) ? [] : ["the map at \(place) is another or missing"])
    }
  }

  /// What is measured of a map, from the first leaf's samples.
  public static func map(_ place: TapPlace) -> Work {
    .measureMap(
      MapWork(
        kinds: [VirtualMap.kind], place: place, secondMoments: "sums", levels: [1],
        samples: unit(.leaf(0), leafCount: 1)))
  }

  /// Questions of two units.
  public static let questions = (0..<2).map { number in
    ScoreWork(
      number: number,
      [
        ScoreLeaf([
          ScoreGroup(
            beginning: [1], spans: [ScoreSpan(ofText: 0, after: 0, [Int32(number)])])
        ])
      ])
  }

  public static func unit(_ node: TreeNode, leafCount: Int) -> WorkUnit {
    let leaves = CanonicalTree(leafCount: leafCount).leaves(of: node)
    return WorkUnit(
      node: node, samplesPerLeaf: leaves.map { _ in 1 }, tokensPerSample: 1,
      tokens: leaves.map { Int32($0) })
  }

  /// A report as it has come in.
  public static func reader(_ bytes: [UInt8], digest: Digest? = nil) -> ReportReader {
    ReportReader(byteCount: bytes.count, digest: digest ?? VirtualWork.digest(of: bytes)) {
      Array(bytes[$0])
    }
  }
}
