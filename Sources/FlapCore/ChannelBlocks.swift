/// The channels at a tap, side by side in blocks of one size: each expert's are a block, and tokens go
/// through few of them; others are one.
public struct ChannelBlocks: Hashable, Sendable {
  public let channelCount: Int
  public let blockCount: Int

  /// - Precondition: whole blocks.
  public init(channelCount: Int, blockCount: Int = 1) {
    precondition(blockCount > 0 && channelCount % blockCount == 0, "whole blocks")
    self.channelCount = channelCount
    self.blockCount = blockCount
  }

  /// Channels of one.
  public var width: Int { channelCount / blockCount }

  /// The channels of one.
  public func channels(ofBlock block: Int) -> Range<Int> { block * width..<(block + 1) * width }
}

extension ModelShape {
  public func channelBlocks(layer: Int, tap: Tap) -> ChannelBlocks {
    ChannelBlocks(
      channelCount: channelCount(layer: layer, tap: tap),
      blockCount: tap == .mlpDown ? layers[layer].experts?.computingCount ?? 1 : 1)
  }
}
