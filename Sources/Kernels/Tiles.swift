public import FlapCore
internal import Glibc

/// The form in which matrices are multiplied: operand tiles of 1 KiB, 16 rows or outputs by 16 units
/// of the inner dimension. A unit is 4 bytes: two bf16 channels or one f32 channel.
///
/// It is the layout of AMX's tile registers, and with AVX-512 a row of units is one register.
/// Rows and channels beyond a matrix's own are zeros.
public enum Tile {
  /// Rows of a panel of the left operand, and outputs of a group of the right one; also the units
  /// of a tile's row.
  public static let side = 16
  static let unitByteCount = 4
  static let rowByteCount = side * unitByteCount
  public static let byteCount = side * rowByteCount

  /// Tiles that `channels` of the inner dimension take.
  public static func count(ofChannels channels: Int, _ compute: ComputeType) -> Int {
    (channels + compute.tileChannels - 1) / compute.tileChannels
  }

  /// Panels that rows take, or groups that outputs take.
  public static func count(ofRows rows: Int) -> Int { (rows + side - 1) / side }
}

extension ComputeType {
  /// Channels of the inner dimension in one tile.
  public var tileChannels: Int { Tile.rowByteCount / channelByteCount }

  fileprivate var channelByteCount: Int { self == .bfloat16 ? 2 : 4 }
}

/// The left operand of a product, [rows, channels]: panel after panel of 16 rows, each the tiles
/// over its channels. A tile is [16 rows][16 units].
public struct RowTiles {
  public let compute: ComputeType
  public let channels: Int
  public let bytes: UnsafeMutableRawPointer

  public init(_ compute: ComputeType, channels: Int, at bytes: UnsafeMutableRawPointer) {
    self.compute = compute
    self.channels = channels
    self.bytes = bytes
  }

  public static func byteCount(_ compute: ComputeType, rows: Int, channels: Int) -> Int {
    Tile.count(ofRows: rows) * Tile.count(ofChannels: channels, compute) * Tile.byteCount
  }

  /// Tiles of one panel.
  public var tilesPerPanel: Int { Tile.count(ofChannels: channels, compute) }

  /// The tile that holds a row and a channel; it begins at multiples of 16 and of a tile's channels.
  public func tile(row: Int, channel: Int = 0) -> UnsafeMutableRawPointer {
    let tile = row / Tile.side * tilesPerPanel + channel / compute.tileChannels
    return bytes + tile * Tile.byteCount
  }

  /// Copies a row of an operand with the same channels.
  public func copyRow(_ row: Int, of other: RowTiles, to target: Int) {
    let from = other.tile(row: row) + row % Tile.side * Tile.rowByteCount
    let to = tile(row: target) + target % Tile.side * Tile.rowByteCount
    for index in 0..<tilesPerPanel {
      (to + index * Tile.byteCount).copyMemory(
        from: from + index * Tile.byteCount, byteCount: Tile.rowByteCount)
    }
  }

  /// Makes a row zeros.
  public func clearRow(_ row: Int) {
    let to = tile(row: row) + row % Tile.side * Tile.rowByteCount
    for index in 0..<tilesPerPanel {
      memset(to + index * Tile.byteCount, 0, Tile.rowByteCount)
    }
  }

  /// One value; for messages about it.
  public func value(row: Int, channel: Int) -> Float {
    let tile = tile(row: row, channel: channel)
    let place =
      row % Tile.side * Tile.rowByteCount
      + channel % compute.tileChannels * compute.channelByteCount
    return switch compute {
    case .bfloat16: Float(bfloat16Bits: tile.load(fromByteOffset: place, as: UInt16.self))
    case .float32: tile.load(fromByteOffset: place, as: Float.self)
    }
  }
}

/// The right operand of a product y = x · Wᵀ, W [outputs, channels]: group after group of 16
/// outputs, each the tiles over its channels. A tile is [16 units][16 outputs].
public struct ColumnTiles {
  public let compute: ComputeType
  public let outputs: Int
  public let channels: Int
  public let bytes: UnsafeMutableRawPointer

  public init(
    _ compute: ComputeType, outputs: Int, channels: Int, at bytes: UnsafeMutableRawPointer
  ) {
    self.compute = compute
    self.outputs = outputs
    self.channels = channels
    self.bytes = bytes
  }

  public static func byteCount(_ compute: ComputeType, outputs: Int, channels: Int) -> Int {
    RowTiles.byteCount(compute, rows: outputs, channels: channels)
  }

  public var byteCount: Int {
    ColumnTiles.byteCount(compute, outputs: outputs, channels: channels)
  }

  /// Tiles of one group.
  public var tilesPerGroup: Int { Tile.count(ofChannels: channels, compute) }

  public func group(_ group: Int) -> UnsafeMutableRawPointer {
    bytes + group * tilesPerGroup * Tile.byteCount
  }
}
