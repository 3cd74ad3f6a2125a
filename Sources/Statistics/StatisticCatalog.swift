public import FlapCore

/// A statistic as it is carried and kept: its bytes under its key.
public struct StatisticPart: Hashable, Sendable {
  public var key: StatisticKey
  public var bytes: [UInt8]

  public init(key: StatisticKey, bytes: [UInt8]) {
    self.key = key
    self.bytes = bytes
  }

  public init(_ value: some Statistic, at place: TapPlace?, node: TreeNode?) {
    self.init(key: StatisticKey(type(of: value).kind, place, node: node), bytes: value.bytes)
  }
}

/// The kinds of statistics that a program knows, and what is done alike with each of them.
public struct StatisticCatalog: Sendable {
  public let types: [any Statistic.Type]

  public init(_ types: [any Statistic.Type]) { self.types = types }

  public static let standard = StatisticCatalog([
    ChannelMoments.self, ExpertActivity.self, ExpertOutputs.self, ExpertMoments.self,
    WeightNorms.self, LossSum.self,
    RemovalCurve.self, ModuleLosses.self,
  ])

  public func type(named kind: StatisticKind) throws(StatisticsError) -> any Statistic.Type {
    guard let type = types.first(where: { $0.kind == kind }) else { throw .unknownKind(kind) }
    return type
  }

  /// What a calibration measures at the taps of a model.
  ///
  /// - Parameter asked: what is measured of experts only where it is asked for.
  public func kinds(
    atTapsOf shape: ModelShape, asked: Set<StatisticSource> = []
  ) -> [StatisticKind] {
    guard shape.hasExperts else { return kinds(from: .taps) }
    let sources: [StatisticSource] = [.expertOutputs, .expertNeurons]
    return kinds(from: .taps) + kinds(from: .experts)
      + sources.filter(asked.contains).flatMap { kinds(from: $0) }
  }

  /// Every kind that is taken from there.
  public func kinds(from source: StatisticSource) -> [StatisticKind] {
    types.filter { $0.source == source }.map { $0.kind }
  }

  // MARK: What a report holds

  /// The keys of a report on samples, in its order: tap by tap the kinds in theirs, then what is of
  /// the whole model.
  ///
  /// - Throws: ``StatisticsError/unknownKind(_:)`` for a kind that is not of samples.
  public func keys(
    of kinds: [StatisticKind], node: TreeNode, in shape: ModelShape
  ) throws(StatisticsError) -> [StatisticKey] {
    var ofTaps: [StatisticKind] = []
    var ofModel: [StatisticKind] = []
    for kind in kinds {
      switch try type(named: kind).source {
      case .taps, .experts, .expertOutputs, .expertNeurons: ofTaps.append(kind)
      case .predictions: ofModel.append(kind)
      case .weights, .maps: throw .unknownKind(kind)
      }
    }
    return TapPlace.all(in: shape.layers.indices).flatMap { place in
      ofTaps.map { StatisticKey($0, place, node: node) }
    } + ofModel.map { StatisticKey($0, nil, node: node) }
  }

  /// The keys of a report on a layer's weights, in its order.
  ///
  /// - Throws: ``StatisticsError/unknownKind(_:)`` for a kind that is not of weights.
  public func keys(
    of kinds: [StatisticKind], layer: Int
  ) throws(StatisticsError) -> [StatisticKey] {
    for kind in kinds where try type(named: kind).source != .weights { throw .unknownKind(kind) }
    return TapPlace.all(in: layer..<layer + 1).flatMap { place in
      kinds.map { StatisticKey($0, place, node: nil) }
    }
  }

  /// The keys of a report on one map, in its order.
  ///
  /// - Throws: ``StatisticsError/unknownKind(_:)`` for a kind that is not of maps.
  public func keys(
    of kinds: [StatisticKind], at place: TapPlace
  ) throws(StatisticsError) -> [StatisticKey] {
    for kind in kinds where try type(named: kind).source != .maps { throw .unknownKind(kind) }
    return kinds.map { StatisticKey($0, place, node: nil) }
  }

  /// Bytes of a statistic of a model.
  ///
  /// - Precondition: the shape has the key's layer.
  public func byteCount(_ key: StatisticKey, in shape: ModelShape) throws(StatisticsError) -> Int {
    let type = try type(named: key.kind)
    return type.byteCount(channelCount: type.source.channelCount(at: key.place, in: shape))
  }

  /// Channels of a kind at a tap; 0 where it has nothing to say of it.
  public static func channelCount(
    of type: any Statistic.Type, at place: TapPlace, in shape: ModelShape
  ) -> Int { type.source.channelCount(at: place, in: shape) }

  // MARK: Values

  /// - Throws: ``StatisticsError`` where the bytes are no possible value of the key's kind.
  /// - Precondition: the shape has the key's layer.
  public func check(_ part: StatisticPart, in shape: ModelShape) throws(StatisticsError) {
    let type = try type(named: part.key.kind)
    _ = try StatisticCatalog.decode(part, as: type, shape)
  }

  /// - Throws: ``StatisticsError`` where the bytes are no possible value.
  /// - Precondition: the part is of this kind, and the shape has its layer.
  public static func decode<Value: Statistic>(
    _ part: StatisticPart, as _: Value.Type, _ shape: ModelShape
  ) throws(StatisticsError) -> Value {
    precondition(part.key.kind == Value.kind, "a part is read as what it is")
    let channelCount = Value.source.channelCount(at: part.key.place, in: shape)
    let expected = Value.byteCount(channelCount: channelCount)
    guard part.bytes.count == expected else {
      throw .defect(part.key, .byteCount(expected: expected, found: part.bytes.count))
    }
    let value = Value(bytes: part.bytes, channelCount: channelCount)
    do throws(StatisticDefect) { try value.validate() } catch { throw .defect(part.key, error) }
    return value
  }

  /// The value of a node of which `left` and `right` are the children's.
  ///
  /// - Throws: ``StatisticsError`` where a side is no possible value, or what they come to.
  /// - Precondition: the keys are of one kind and tap.
  public func merge(
    _ left: StatisticPart, _ right: StatisticPart, into parent: TreeNode, in shape: ModelShape
  ) throws(StatisticsError) -> StatisticPart {
    precondition(left.key.of(parent) == right.key.of(parent), "parts of different things")
    guard let type = try type(named: left.key.kind) as? any SampleStatistic.Type else {
      throw .unknownKind(left.key.kind)
    }
    return try StatisticCatalog.merge(left, right, as: type, into: parent, shape)
  }

  private static func merge<Value: SampleStatistic>(
    _ left: StatisticPart, _ right: StatisticPart, as type: Value.Type, into parent: TreeNode,
    _ shape: ModelShape
  ) throws(StatisticsError) -> StatisticPart {
    var value = try decode(left, as: type, shape)
    value.merge(try decode(right, as: type, shape))
    return StatisticPart(key: left.key.of(parent), bytes: value.bytes)
  }
}
