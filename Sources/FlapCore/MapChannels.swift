/// The channels at a tap, by the linear maps that read them: one reads all, or each expert's its own, which
/// are as many and lie side by side.
public struct MapChannels: Hashable, Sendable {
  public let channelCount: Int
  public let mapCount: Int

  /// - Precondition: as many for each.
  public init(channelCount: Int, mapCount: Int = 1) {
    precondition(mapCount > 0 && channelCount % mapCount == 0, "as many for each")
    self.channelCount = channelCount
    self.mapCount = mapCount
  }

  /// Channels of one.
  public var width: Int { channelCount / mapCount }

  public func channels(ofMap map: Int) -> Range<Int> { map * width..<(map + 1) * width }
}

extension ModelShape {
  /// Units of one map that a tap feeds: of each expert, where there are such.
  public func unitCountPerMap(layer: Int, tap: Tap) -> Int {
    unitCount(layer: layer, tap: tap) / mapChannels(layer: layer, tap: tap).mapCount
  }

  public func mapChannels(layer: Int, tap: Tap) -> MapChannels {
    MapChannels(
      channelCount: channelCount(layer: layer, tap: tap),
      mapCount: tap == .mlpDown ? layers[layer].experts?.computingCount ?? 1 : 1)
  }
}
